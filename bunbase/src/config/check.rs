//! The rules of single values beyond their type. An error completes the sentence "`key` …".

use tracing_subscriber::EnvFilter;

use super::suggest;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

pub(super) fn non_empty(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("must not be empty".to_owned()) } else { Ok(()) }
}

pub(super) fn positive<T: PartialEq + Default>(value: &T) -> Result<(), String> {
    if *value == T::default() { Err("must be more than zero".to_owned()) } else { Ok(()) }
}

pub(super) fn share<T: Copy + Into<f64>>(share: &T) -> Result<(), String> {
    if (0.0..=1.0).contains(&(*share).into()) { Ok(()) } else { Err("must be from 0 to 1".to_owned()) }
}

/// A collector's address, or none.
pub(super) fn collector(url: &str) -> Result<(), String> {
    let wrong = || Err("must be the address of a collector, like `http://localhost:4318`".to_owned());
    match url.parse::<::url::Url>() {
        _ if url.is_empty() => Ok(()),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err("must not have a name or a password in it; they go into the headers".to_owned())
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(()),
        _ => wrong(),
    }
}

/// Attributes, each as `name=value`.
pub(super) fn pairs(pairs: &[String]) -> Result<(), String> {
    match pairs.iter().find(|pair| pair.split_once('=').is_none_or(|(name, _)| name.trim().is_empty())) {
        Some(pair) => Err(format!("has `{pair}`; write attributes as `name=value`")),
        None => Ok(()),
    }
}

/// Bounds of buckets.
pub(super) fn buckets(bounds: &[f64]) -> Result<(), String> {
    let is_ascending = bounds.is_sorted_by(|a, b| a < b);
    if bounds.first().is_some_and(|first| *first > 0.0) && is_ascending {
        Ok(())
    } else {
        Err("must have at least one number, all more than zero and each more than the one before".to_owned())
    }
}

/// A lease is renewed at a third of its length, which must leave time for a round trip.
pub(super) fn lease(lease: &std::time::Duration) -> Result<(), String> {
    if *lease < std::time::Duration::from_secs(1) { Err("must be at least `1s`".to_owned()) } else { Ok(()) }
}

/// A time that is measured in half seconds.
#[expect(clippy::ref_option, reason = "all rules take a reference")]
pub(super) fn coarse(time: &Option<std::time::Duration>) -> Result<(), String> {
    match time {
        Some(time) if *time < std::time::Duration::from_secs(1) => Err("must be at least `1s`, or 0".to_owned()),
        _ => Ok(()),
    }
}

/// What one process has for itself keeps nobody else out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "all rules take a reference")]
pub(super) fn shared(backend: &super::DataBackend) -> Result<(), String> {
    if *backend == super::DataBackend::Memory {
        return Err("cannot be `memory`, which other processes do not see; write `sql`, `redis` or `auto`".to_owned());
    }
    Ok(())
}

/// What a process can do.
pub(super) fn roles(roles: &[String]) -> Result<(), String> {
    const ROLES: [&str; 3] = ["http", "worker", "scheduler"];
    match roles.iter().find(|role| !ROLES.contains(&role.as_str())) {
        Some(role) => Err(format!("has `{role}`, which is no role; write some of `http`, `worker`, `scheduler`")),
        None if roles.is_empty() => Err("must name at least one of `http`, `worker`, `scheduler`".to_owned()),
        None => Ok(()),
    }
}

/// An address or a name without a port; the port has a key of its own.
pub(super) fn host(host: &str) -> Result<(), String> {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    let is_name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    if is_name {
        Ok(())
    } else {
        Err("must be an address or a host name without a port, like `127.0.0.1`, `::1` or `localhost`".to_owned())
    }
}

/// A domain of cookies, or none.
pub(super) fn domain(domain: &str) -> Result<(), String> {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if domain.is_empty() || domain.split('.').all(is_word) {
        Ok(())
    } else {
        Err(format!("is `{domain}`, which is no domain; write one like `example.com`, or nothing"))
    }
}

/// Addresses or names without ports.
pub(super) fn hosts(hosts: &[String]) -> Result<(), String> {
    match hosts.iter().find(|name| host(name).is_err()) {
        Some(name) => Err(format!("has `{name}`, which is no address and no host name without a port")),
        None => Ok(()),
    }
}

/// An address or a name with a port, or nothing.
pub(super) fn listen_address(address: &str) -> Result<(), String> {
    let is_one = address.rsplit_once(':').is_some_and(|(name, port)| {
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        host(name).is_ok() && port.parse::<u16>().is_ok()
    });
    if address.is_empty() || is_one {
        Ok(())
    } else {
        Err("must be a host and a port, like `127.0.0.1:9090`".to_owned())
    }
}

/// Names without ports, `*.` before them for all below.
pub(super) fn host_patterns(hosts: &[String]) -> Result<(), String> {
    let is_one = |name: &&String| host(name.strip_prefix("*.").unwrap_or(name)).is_ok();
    match hosts.iter().find(|name| !is_one(name)) {
        Some(name) => {
            Err(format!("has `{name}`; write a host without a port, like `app.example.com` or `*.example.com`"))
        }
        None => Ok(()),
    }
}

/// Paths as requests have them.
pub(super) fn paths(paths: &[String]) -> Result<(), String> {
    match paths.iter().find(|path| route(path).is_err()) {
        Some(path) => Err(format!("has `{path}`, which is no plain path that begins with `/`")),
        None => Ok(()),
    }
}

/// A path of our own documents, without parameters.
pub(super) fn route(path: &str) -> Result<(), String> {
    let is_path = path.starts_with('/')
        && path.len() > 1
        && path.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '{' | '}' | '?' | '#' | '%'));
    if is_path { Ok(()) } else { Err("must be a plain path that begins with `/`, like `/openapi.json`".to_owned()) }
}

/// Origins as browsers send them (RFC 6454), or `*`.
pub(super) fn origins(origins: &[String]) -> Result<(), String> {
    for origin in origins.iter().filter(|origin| *origin != "*") {
        let Ok(url) = url::Url::parse(origin) else {
            return Err(format!("has `{origin}`, which is not an origin; write one like `https://app.example.com`"));
        };
        let expected = url.origin().ascii_serialization();
        if expected == "null" {
            return Err(format!("has `{origin}`, which is not an origin; write one like `https://app.example.com`"));
        }
        if expected != *origin {
            return Err(format!("has `{origin}`, which no browser sends as an origin; write `{expected}`"));
        }
    }
    Ok(())
}

/// Tokens of RFC 9110, such as header names.
pub(super) fn tokens(tokens: &[String]) -> Result<(), String> {
    let is_token = |token: &str| {
        !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
    };
    match tokens.iter().find(|token| !is_token(token)) {
        Some(wrong) => Err(format!("has {wrong:?}, which is not a name that HTTP allows")),
        None => Ok(()),
    }
}

/// A token of RFC 9110.
pub(super) fn token(token: &str) -> Result<(), String> {
    tokens(&[token.to_owned()]).map_err(|_| format!("is {token:?}, which is not a name that HTTP allows"))
}

/// Networks and single addresses.
pub(super) fn networks(networks: &[String]) -> Result<(), String> {
    let is_one = |text: &String| text.parse::<ipnet::IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok();
    match networks.iter().find(|text| !is_one(text)) {
        Some(wrong) => Err(format!("has `{wrong}`, which is no address; write one like `10.0.0.0/8` or `192.0.2.1`")),
        None => Ok(()),
    }
}

/// Methods, which are case-sensitive.
pub(super) fn methods(methods: &[String]) -> Result<(), String> {
    tokens(methods)?;
    match methods.iter().find(|method| method.chars().any(|c| c.is_ascii_lowercase())) {
        Some(wrong) => Err(format!("has `{wrong}`; methods are upper case: `{}`", wrong.to_ascii_uppercase())),
        None => Ok(()),
    }
}

/// A level, or filter directives of `tracing` such as `info,my_app=debug`.
///
/// A bare word that is no level would be read as a module's name and turn the log off: a typo in `info` must not.
pub(crate) fn log_filter(filter: &str) -> Result<(), String> {
    // The parser of tracing-subscriber 0.3.23 slices inside a character before `[`, and panics.
    if !filter.is_ascii() {
        return Err("has a character that is not ASCII, which log filters cannot have".to_owned());
    }
    for directive in filter.split(',').map(str::trim) {
        let level = match directive.rsplit_once('=') {
            _ if directive.contains(['[', ']']) => continue,
            Some((_, level)) => level,
            None => directive,
        };
        let is_level = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        if !is_level && !matches!(level.parse(), Ok(0..=5_u8)) {
            let hint = suggest::nearest(level, LEVELS).map(|near| format!("; did you mean `{near}`?"));
            return Err(format!(
                "has `{level}`, which is not a level ({}){}",
                LEVELS.join(", "),
                hint.unwrap_or_default()
            ));
        }
    }
    EnvFilter::try_new(filter).map(drop).map_err(|error| format!("is not a log filter: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn a_typo_in_a_level_is_not_taken_for_a_module() {
        assert!(log_filter("inof").unwrap_err().contains("did you mean `info`?"));
        assert!(log_filter("info,my_app=debgu").unwrap_err().contains("`debug`"));
        assert!(log_filter("").is_err());
    }

    #[test]
    fn a_filter_that_is_not_ascii_is_refused_before_it_can_panic() {
        assert!(log_filter(" \u{9df}[").is_err());
    }

    #[test]
    fn levels_and_directives_are_accepted() {
        for filter in
            ["info", "WARN", "off", "info,my_app=debug", "my_app::db=trace,warn", "info,[run{name=a}]=debug", "3"]
        {
            assert_eq!(log_filter(filter), Ok(()), "{filter}");
        }
    }

    #[test]
    fn an_origin_with_a_path_is_answered_with_the_one_without() {
        assert!(origins(&list(&["https://a.example/"])).unwrap_err().ends_with("write `https://a.example`"));
        assert!(origins(&list(&["https://A.example:443"])).unwrap_err().ends_with("write `https://a.example`"));
        assert!(origins(&list(&["app.example"])).is_err());
        assert_eq!(origins(&list(&["*", "https://a.example", "http://localhost:5173"])), Ok(()));
    }

    #[test]
    fn a_lower_case_method_is_refused() {
        assert!(methods(&list(&["get"])).unwrap_err().contains("`GET`"));
        assert!(tokens(&list(&["x y"])).is_err());
        assert_eq!(tokens(&list(&["Content-Type"])), Ok(()));
    }

    #[test]
    fn a_host_has_no_port_and_no_scheme() {
        for good in ["127.0.0.1", "::1", "0.0.0.0", "localhost", "my-host.internal"] {
            assert_eq!(host(good), Ok(()), "{good}");
        }
        for bad in ["", "127.0.0.1:80", "http://a", "[::1]"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_filter_makes_it_panic(filter in "([ -~]|info|=debug|\\[run\\{a=b\\}\\]|\\[|,){0,12}") {
            let _ = log_filter(&filter);
        }

        #[test]
        fn no_text_makes_a_check_panic(text: String) {
            let _ = (log_filter(&text), host(&text), route(&text));
            let _ = (origins(std::slice::from_ref(&text)), methods(std::slice::from_ref(&text)));
        }
    }
}
