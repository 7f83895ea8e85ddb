//! The address of a database, which may hold a password.

use std::{fmt, path::PathBuf};

use super::{
    Value,
    setting::{Setting, items},
};

/// The address of a database, `sqlite://data/app.db` or `postgres://user:password@host/name`.
///
/// `Debug` and `Display` hide the password; [`ConnectionUrl::expose`] does not.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionUrl(String);

impl ConnectionUrl {
    /// Accepts an address of SQLite (`sqlite:`) or Postgres (`postgres://`, `postgresql://`).
    ///
    /// # Errors
    /// A sentence that says what to write instead and does not repeat the address.
    pub fn new(url: impl Into<String>) -> Result<Self, String> {
        let url = url.into();
        if url.trim().is_empty() {
            return Err("is empty; write `sqlite://data/app.db` or `postgres://user:password@host/name`".to_owned());
        }
        if let Some(file) = url.strip_prefix("sqlite:") {
            if file.trim_start_matches('/').is_empty() {
                return Err("names no file; write `sqlite://data/app.db` or `sqlite::memory:`".to_owned());
            }
            return Ok(Self(url));
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("must begin with `sqlite://` or `postgres://`".to_owned());
        }
        match url::Url::parse(&url) {
            Ok(_) => Ok(Self(url)),
            Err(error) => Err(format!(
                "is not a URL: {error}; write `postgres://user:password@host/name`, with signs in the password \
                 percent-encoded"
            )),
        }
    }

    /// Returns the whole address, password included. Not for logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is a SQLite database.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }

    /// Returns the file of a SQLite database; `None` for one in memory, and for other databases.
    #[must_use]
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        let path = self.0.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let is_memory = path.is_empty() || path == ":memory:" || query.split('&').any(|pair| pair == "mode=memory");
        (!is_memory).then(|| percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned().into())
    }
}

impl Default for ConnectionUrl {
    /// A SQLite file under the working directory's `data/`.
    fn default() -> Self {
        Self("sqlite://data/app.db".to_owned())
    }
}

impl fmt::Display for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redact(&self.0))
    }
}

/// The address of Redis; none unless set. `Debug` and `Display` hide the password; [`RedisUrl::expose`] does not.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// Returns the whole address, password included; `None` where none is set. Not for logs.
    #[must_use]
    pub fn expose(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|url| !url.is_empty())
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redact(&self.0))
    }
}

impl Setting for RedisUrl {
    const KIND: &'static str = "URL";

    fn read(value: &Value) -> Result<Self, String> {
        const SCHEMES: [&str; 10] = [
            "redis://",
            "rediss://",
            "valkey://",
            "valkeys://",
            "unix://",
            "redis+unix://",
            "redis+cluster://",
            "rediss+cluster://",
            "redis+sentinel://",
            "rediss+sentinel://",
        ];
        match value {
            Value::Text(text) | Value::String(text) => {
                let url = text.trim();
                if url.is_empty() || SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
                    return Ok(Self(url.to_owned()));
                }
                Err("must begin with `redis://`, `rediss://`, `unix://`, `redis+cluster://` or `redis+sentinel://`"
                    .to_owned())
            }
            other => Err(format!("must be a URL, not {}", other.kind())),
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// Hides the password of a URL, before its host and in its query.
///
/// Everything up to the last `@` counts as user and password, so that a sign which should have been percent-encoded does
/// not let half of the password through.
///
/// ```
/// # use bunbase::config::redact;
/// assert_eq!(redact("postgres://me:secret@db/app"), "postgres://me:***@db/app");
/// ```
#[must_use]
pub fn redact(url: &str) -> String {
    let mut shown = url.to_owned();
    if let (Some(scheme), Some(at)) = (url.find("://"), url.rfind('@')) {
        let start = scheme + 3;
        if let Some(colon) = url.get(start..at).and_then(|user| user.find(':')) {
            shown = format!("{}***{}", &url[..=start + colon], &url[at..]);
        }
    }
    let Some((before, query)) = shown.split_once('?') else {
        return shown;
    };
    let parameters: Vec<_> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
                format!("{name}=***")
            }
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{before}?{}", parameters.join("&"))
}

impl Setting for ConnectionUrl {
    const KIND: &'static str = "URL";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) | Value::String(text) => Self::new(text.trim()),
            other => Err(format!("must be a URL, not {}", other.kind())),
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// An empty text stands for none.
impl Setting for Option<ConnectionUrl> {
    const KIND: &'static str = "URL, or empty";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) | Value::String(text) if text.trim().is_empty() => Ok(None),
            other => ConnectionUrl::read(other).map(Some),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "\"\"".to_owned(), Setting::show)
    }
}

/// In a variable, the items are separated by commas.
impl Setting for Vec<ConnectionUrl> {
    const KIND: &'static str = "list of URLs";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => items(text).map(ConnectionUrl::new).collect(),
            Value::String(text) => ConnectionUrl::new(text.trim()).map(|url| vec![url]),
            Value::List(values) => values.iter().map(ConnectionUrl::read).collect(),
            other => Err(format!("must be a URL, or a list of them, not {}", other.kind())),
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        for (url, shown) in [
            ("postgres://me:pw@db/app", "postgres://me:***@db/app"),
            ("postgres://me:p@s/s@db/app", "postgres://me:***@db/app"),
            ("postgres://:pw@db/app", "postgres://:***@db/app"),
            ("postgres://root@127.0.0.1:5432/postgres", "postgres://root@127.0.0.1:5432/postgres"),
            (
                "postgres:///app?user=me&password=pw&sslmode=require",
                "postgres:///app?user=me&password=***&sslmode=require",
            ),
            ("sqlite://data/app.db?mode=rwc", "sqlite://data/app.db?mode=rwc"),
        ] {
            assert_eq!(redact(url), shown);
        }
    }

    #[test]
    fn other_databases_are_refused_without_repeating_the_address() {
        for url in ["mysql://me:hunter2@db/app", "hunter2", "postgres://me:hunter2@db:port/app", "", "sqlite://"] {
            let message = ConnectionUrl::new(url).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn the_file_is_where_the_database_is() {
        for (url, file) in [
            ("sqlite://data/app.db", Some("data/app.db")),
            ("sqlite:app.db", Some("app.db")),
            ("sqlite:///var/my%20data/app.db?mode=rwc", Some("/var/my data/app.db")),
            ("sqlite::memory:", None),
            ("sqlite://app.db?mode=memory", None),
            ("postgres://me@db/app", None),
        ] {
            assert_eq!(ConnectionUrl::new(url).unwrap().sqlite_file(), file.map(PathBuf::from), "{url}");
        }
    }

    #[test]
    fn every_form_in_use_is_accepted() {
        for url in [
            "sqlite://data/app.db",
            "sqlite:app.db",
            "sqlite::memory:",
            "postgresql://h/db",
            "postgres:///db?host=/run",
        ] {
            assert!(ConnectionUrl::new(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn one_address_may_be_left_out_and_several_are_a_list() {
        assert_eq!(Option::<ConnectionUrl>::read(&" ".into()), Ok(None));
        assert!(Option::<ConnectionUrl>::read(&"db".into()).is_err());
        let two = Vec::<ConnectionUrl>::read(&Value::Text("postgres://a/x, postgres://b/x".to_owned())).unwrap();
        assert_eq!(two, Vec::read(&vec!["postgres://a/x", "postgres://b/x"].into()).unwrap());
        assert_eq!(two.len(), 2);
        let message = Vec::<ConnectionUrl>::read(&vec!["postgres://a/x", "mysql://me:hunter2@b/x"].into()).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = redact(&text);
            let _ = ConnectionUrl::new(text);
        }

        #[test]
        fn no_password_is_printed(password in "[!-~]{12,20}") {
            let url = format!("postgres://me:{password}@db/app");
            prop_assert!(!redact(&url).contains(&password));
        }
    }
}
