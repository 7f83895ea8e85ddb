//! What is built in, and where each of it is served: at the server's own address, at `admin.addr`, or nowhere.

use std::sync::Arc;

use super::debug;
use crate::{
    config::{Access, Config, HEALTH_PATHS, LongSecret},
    http::{
        Health,
        access::{Page, Token},
        builtin::{self, Builtin, Readers},
    },
    openapi::{
        self,
        reference::{self, Reference},
    },
};

/// What is built in, by where it is served.
pub(super) struct Pages<'c> {
    config: &'c Config,
    /// At the server's own address.
    pub(super) main: Vec<Page>,
    /// At `admin.addr`; none where there is no such address.
    pub(super) admin: Vec<Page>,
}

/// Something built in: its name for people, who may see it, and the token that opens it with its key.
#[derive(Clone, Copy)]
struct Rule<'c> {
    name: &'static str,
    access: Access,
    token: (&'c LongSecret, &'static str),
}

impl Rule<'_> {
    /// Who may see it at the server's own address.
    fn on_main(&self) -> Readers {
        let (secret, key) = self.token;
        match self.access {
            Access::Public => Readers::All,
            Access::Token if !secret.is_empty() => Readers::Token(Token::new(secret.expose(), key)),
            Access::Token | Access::Admin | Access::Off => Readers::Nobody,
        }
    }

    /// Who may see it at `admin.addr`, where only the machine itself reaches that (`is_local`) or others do too.
    fn on_admin(&self, is_local: bool) -> Readers {
        let (secret, key) = self.token;
        match self.access {
            Access::Off => Readers::Nobody,
            Access::Token | Access::Admin if !is_local => {
                // Without one the application does not start.
                if secret.is_empty() { Readers::Nobody } else { Readers::Token(Token::new(secret.expose(), key)) }
            }
            Access::Public | Access::Token | Access::Admin => Readers::All,
        }
    }

    fn is_on_main(&self) -> bool {
        !matches!(self.on_main(), Readers::Nobody)
    }
}

fn rules(config: &Config) -> [Rule<'_>; 6] {
    let all = (&config.admin.token, "admin.token");
    let rule = |name, access, token| Rule { name, access, token };
    [
        rule("docs", config.docs.access, all),
        rule("document", config.openapi.access, all),
        rule("metrics", config.metrics.access, (&config.metrics.token, "metrics.token")),
        rule("health details", config.health.access, all),
        rule("mcp", config.mcp.access, all),
        rule("debug", config.debug.access, all),
    ]
}

fn rule<'c>(config: &'c Config, name: &str) -> Option<Rule<'c>> {
    rules(config).into_iter().find(|rule| rule.name == name)
}

/// Returns whether something is served at the server's own address.
pub(super) fn is_on_main(config: &Config, name: &str) -> bool {
    rule(config, name).is_some_and(|rule| rule.is_on_main())
}

/// Returns what is not `off` and still nowhere, for want of a token and of an address of its own.
pub(super) fn closed(config: &Config) -> Vec<&'static str> {
    let is_closed = |rule: &Rule<'_>| rule.access != Access::Off && !rule.is_on_main();
    let rules = rules(config).into_iter().filter(is_closed).filter(|_| config.admin.addr.is_empty());
    rules.map(|rule| rule.name).collect()
}

impl<'c> Pages<'c> {
    /// Starts with the endpoints of health.
    pub(super) fn new(config: &'c Config, health: &Arc<Health>) -> Self {
        let mut pages = Self { config, main: Vec::new(), admin: Vec::new() };
        let readers = rule(config, "health details").map_or(Readers::Nobody, |rule| rule.on_main());
        let [full, live, ready] = HEALTH_PATHS.map(str::to_owned);
        let version = &config.app.version;
        for (path, builtin) in [(live, builtin::live(health.clone())), (ready, builtin::ready(health.clone()))] {
            pages.everywhere(path, builtin);
        }
        pages.main.push(open(full.clone(), builtin::full(health.clone(), version, readers)));
        let is_local = config.is_admin_local();
        let readers = rule(config, "health details").map_or(Readers::Nobody, |rule| rule.on_admin(is_local));
        pages.on_admin(open(full, builtin::full(health.clone(), version, readers)));
        pages
    }

    /// Adds the document and its page.
    pub(super) fn documents(&mut self, document: &openapi::Document) {
        let config = self.config;
        if config.openapi.access == Access::Off {
            return;
        }
        self.add("document", &config.openapi.path, &builtin::asset(document.asset().clone(), None));
        if config.docs.access == Access::Off {
            return;
        }
        let page = Reference::new(&config.docs.path, &config.openapi.path, &config.openapi.title);
        for (path, asset) in page.assets() {
            let policy = Some(reference::CONTENT_SECURITY_POLICY);
            self.add("docs", path, &builtin::asset(asset.clone(), policy));
        }
        let page = config.docs.path.trim_end_matches('/');
        self.add("docs", &format!("{page}/"), &builtin::redirect(page));
    }

    /// Adds something, where its access says.
    pub(super) fn add(&mut self, name: &str, path: &str, builtin: &Builtin) {
        let Some(rule) = rule(self.config, name).filter(|rule| rule.access != Access::Off) else { return };
        if let Some(page) = page(path, builtin, rule.on_main()) {
            self.main.push(page);
        }
        if let Some(page) = page(path, builtin, rule.on_admin(self.config.is_admin_local())) {
            self.on_admin(page);
        }
    }

    /// Adds what helps to find out why something is slow.
    pub(super) fn debugging(&mut self) {
        let path = self.config.debug.path.trim_end_matches('/');
        for (end, builtin) in debug::endpoints() {
            self.add("debug", &format!("{path}/{end}"), &builtin);
        }
    }

    fn everywhere(&mut self, path: String, builtin: Builtin) {
        self.main.push(open(path.clone(), builtin.clone()));
        self.on_admin(open(path, builtin));
    }

    fn on_admin(&mut self, page: Page) {
        if !self.config.admin.addr.is_empty() {
            self.admin.push(page);
        }
    }
}

/// Returns something as it is served to its readers, if there are any.
fn page(path: &str, builtin: &Builtin, readers: Readers) -> Option<Page> {
    let token = match readers {
        Readers::All => None,
        Readers::Token(token) => Some(token),
        Readers::Nobody => return None,
    };
    Some(Page { path: path.to_owned(), builtin: builtin.clone(), token })
}

fn open(path: String, builtin: Builtin) -> Page {
    Page { path, builtin, token: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loader;

    #[test]
    fn in_production_what_is_nowhere_is_told_until_there_is_a_token_or_an_address() {
        let closed_with = |loader: Loader| closed(&loader.load().unwrap());
        let all = ["docs", "document", "metrics", "health details", "mcp"];
        assert_eq!(closed_with(Loader::new()), all);
        assert_eq!(closed_with(Loader::new().set("mcp.access", "public").set("docs.access", "off")), all[1..4]);
        let token = "a token of at least 32 bytes, for all of it";
        let none: [&str; 0] = [];
        assert_eq!(closed_with(Loader::new().set("admin.token", token)), none);
        assert_eq!(closed_with(Loader::new().set("admin.addr", "127.0.0.1:9090")), none);
        assert_eq!(closed_with(Loader::new().debug_build(true)), none);
        assert_eq!(closed_with(Loader::new().set("metrics.token", token)), [all[0], all[1], all[3], all[4]]);
    }
}
