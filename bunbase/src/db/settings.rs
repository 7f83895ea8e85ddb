//! How a database is reached: the settings, and what a URL says.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{Error, Result};

/// How to reach the database and how much of it to use.
///
/// ```
/// # use bunbase::db::Settings;
/// let settings = Settings { url: "sqlite://data/shop.db".into(), ..Settings::default() };
/// assert_eq!(settings.readers, 4);
/// ```
#[derive(Clone)]
pub struct Settings {
    /// `sqlite://data/app.db` (the default; the folder and the file are made), `sqlite::memory:` or `postgres://…`.
    pub url: String,
    /// The most connections to Postgres; 10 unless said, at least 1. SQLite has one writer and [`readers`](Self::readers).
    pub max_connections: u32,
    /// Connections to Postgres that are kept open when idle; 0 unless said.
    pub min_connections: u32,
    /// The longest wait for a free connection, or for SQLite's writer; 5 s unless said. Then the answer is 503.
    pub acquire_timeout: Duration,
    /// Connections to Postgres that were idle for this long are closed; 10 min unless said.
    pub idle_timeout: Option<Duration>,
    /// Connections to Postgres that are this old are replaced; 30 min unless said.
    pub max_lifetime: Option<Duration>,
    /// How long SQLite waits for a lock that another process holds; 5 s unless said.
    pub busy_timeout: Duration,
    /// Read-only connections to a SQLite file; 4 unless said. With 0 the writer reads too.
    pub readers: u32,
    /// The longest that the function given to [`Db::transaction`](super::Db::transaction) may take; 30 s unless said.
    pub transaction_timeout: Duration,
    /// The longest that one statement may run on Postgres; no limit unless said. Behind PgBouncer it is the server's to say
    /// (`ALTER ROLE … SET statement_timeout`).
    pub statement_timeout: Option<Duration>,
    /// How long a statement takes that is logged as slow; 100 ms unless said. `None` logs none.
    pub slow_query: Option<Duration>,
    /// Whether the plan of a slow SELECT is logged too; false unless said. Plans show what is in the tables, so for development.
    pub explain_slow: bool,
    /// How often a run may repeat a statement before the log says so; 0, which does not count, unless said.
    pub n_plus_one: u32,
    /// The name shown in `pg_stat_activity`; `bunbase` unless said.
    pub application_name: String,
    /// Whether `url` leads to PgBouncer in transaction mode, where two statements in a row reach two sessions of the server; `Some(false)`
    /// unless said. Then each statement is a transaction of its own and none stays prepared, so one costs five round trips. `None` finds
    /// out when the database is opened, by two connections for a moment.
    pub pgbouncer: Option<bool>,
    /// The addresses of copies of a Postgres database that answer reads, not by way of PgBouncer; none unless said.
    pub replicas: Vec<String>,
    /// How far a replica may be behind before it is left out; 5 s unless said.
    pub max_lag: Duration,
    /// Functions of the database that write: a statement that names one does not go to a replica.
    pub writing_functions: Vec<String>,
    /// Where Postgres itself is reached when `url` leads to PgBouncer: for migrations, and to hear wake-ups.
    pub direct_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: "sqlite://data/app.db".to_owned(),
            max_connections: 10,
            min_connections: 0,
            acquire_timeout: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_mins(10)),
            max_lifetime: Some(Duration::from_mins(30)),
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            transaction_timeout: Duration::from_secs(30),
            statement_timeout: None,
            slow_query: Some(Duration::from_millis(100)),
            explain_slow: false,
            n_plus_one: 0,
            application_name: "bunbase".to_owned(),
            pgbouncer: Some(false),
            direct_url: None,
            replicas: Vec::new(),
            max_lag: Duration::from_secs(5),
            writing_functions: Vec::new(),
        }
    }
}

impl Settings {
    /// Returns the settings for `url`, with defaults for the rest.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Returns the settings for what needs a session of the server: those of the direct way where there is one, and `None` where there
    /// is only a proxy that pools transactions.
    pub fn of_session(&self) -> Option<Self> {
        match &self.direct_url {
            Some(url) => Some(Self { url: url.clone(), pgbouncer: Some(false), direct_url: None, ..self.clone() }),
            None => (!self.pools_transactions()).then(|| self.clone()),
        }
    }

    /// Returns whether a proxy that pools transactions is known to be before the server.
    pub(crate) fn pools_transactions(&self) -> bool {
        self.pgbouncer == Some(true)
    }

    /// Returns the URL with its password, if it has one, replaced by `***`.
    pub fn url_for_display(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else {
            return self.url.clone();
        };
        // A password may hold any sign but `/`, `?` and `#`, so the last `@` before those ends it.
        let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority);
        // Postgres takes `?password=` too.
        let path = path.split_once('?').map_or(path.to_owned(), |(path, query)| {
            let query: Vec<_> = query
                .split('&')
                .map(|pair| if pair.starts_with("password=") { "password=***" } else { pair })
                .collect();
            format!("{path}?{}", query.join("&"))
        });
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split_once(':').map_or(user.to_owned(), |(name, _)| format!("{name}:***"));
                format!("{scheme}://{user}@{host}{path}")
            }
            None => format!("{scheme}://{authority}{path}"),
        }
    }

    /// Returns the URL without its password: what the server's tools are given.
    pub fn url_without_password(&self) -> String {
        let shown = self.url_for_display().replacen(":***@", "@", 1);
        let Some((base, query)) = shown.split_once('?') else { return shown };
        let rest: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("password=")).collect();
        if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url_for_display())
            .field("max_connections", &self.max_connections)
            .field("min_connections", &self.min_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("max_lifetime", &self.max_lifetime)
            .field("busy_timeout", &self.busy_timeout)
            .field("readers", &self.readers)
            .field("transaction_timeout", &self.transaction_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("slow_query", &self.slow_query)
            .field("explain_slow", &self.explain_slow)
            .field("n_plus_one", &self.n_plus_one)
            .field("application_name", &self.application_name)
            .field("pgbouncer", &self.pgbouncer)
            .field("replicas", &self.replicas.len())
            .field("max_lag", &self.max_lag)
            .field("writing_functions", &self.writing_functions)
            .field("direct_url", &self.direct_url.as_ref().map(|_| "…"))
            .finish()
    }
}

/// What a database URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    SqliteMemory,
    SqliteFile(PathBuf),
    Postgres,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "postgres" | "postgresql" => Ok(Self::Postgres),
            "sqlite" => {
                let rest = &url["sqlite:".len()..];
                let path = rest.strip_prefix("//").unwrap_or(rest);
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                if path.is_empty() || path == ":memory:" || query.split('&').any(|pair| pair == "mode=memory") {
                    return Ok(Self::SqliteMemory);
                }
                let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
                Ok(Self::SqliteFile(Path::new(path.as_ref()).to_owned()))
            }
            // The rest of the URL stays out of the text: it may hold a password.
            "" => Err(unknown_scheme("the database URL has no scheme")),
            other => Err(unknown_scheme(&format!("`{other}` is not a database that bunbase knows"))),
        }
    }
}

fn unknown_scheme(what: &str) -> Error {
    Error::new(
        500,
        "database_url",
        format!("{what}; write `sqlite://data/app.db`, `sqlite::memory:` or `postgres://user@host/name`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_database() {
        let file = |path: &str| Target::SqliteFile(PathBuf::from(path));
        for (url, target) in [
            ("sqlite://data/app.db", file("data/app.db")),
            ("sqlite:data/app.db", file("data/app.db")),
            ("sqlite:///var/lib/app.db?mode=rwc", file("/var/lib/app.db")),
            ("sqlite://my%20data/app.db", file("my data/app.db")),
            ("sqlite::memory:", Target::SqliteMemory),
            ("sqlite://:memory:", Target::SqliteMemory),
            ("postgres://root@127.0.0.1/shop", Target::Postgres),
            ("postgresql://root@127.0.0.1/shop", Target::Postgres),
        ] {
            assert_eq!(Target::parse(url).unwrap(), target, "{url}");
        }
    }

    #[test]
    fn another_scheme_is_refused_with_those_that_exist_and_without_the_password() {
        for url in ["mysql://root:hunter2@localhost/shop", "data/app.db", ""] {
            let error = Target::parse(url).unwrap_err();
            assert_eq!(error.code(), "database_url");
            assert!(error.detail().contains("sqlite://") && error.detail().contains("postgres://"), "{error}");
            assert!(!error.detail().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_url_for_tools_has_no_password_and_no_place_for_one() {
        for (url, without) in [
            (
                "postgres://ann:hunter2@db.example:5432/shop?sslmode=require",
                "postgres://ann@db.example:5432/shop?sslmode=require",
            ),
            ("postgres://db.example/shop?user=ann&password=hunter2", "postgres://db.example/shop?user=ann"),
            ("postgres://db.example/shop?password=hunter2", "postgres://db.example/shop"),
        ] {
            assert_eq!(Settings::new(url).url_without_password(), without);
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://ann:hunter2@db.example:5432/shop?sslmode=require",
            "postgres://ann:p@hunter2@db.example/shop",
            "postgres://db.example/shop?user=ann&password=hunter2",
        ] {
            let settings = Settings::new(url);
            assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
            assert!(settings.url_for_display().contains("db.example"), "{settings:?}");
        }
        assert_eq!(Settings::new("sqlite://data/app.db").url_for_display(), "sqlite://data/app.db");
    }
}
