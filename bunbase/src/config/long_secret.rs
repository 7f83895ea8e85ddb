//! Secrets that keys are derived from, never shown.

use std::{
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hkdf::Hkdf;
use sha2::Sha256;

use super::{
    Config, ConfigErrors, Problem, Value,
    setting::{Setting, items},
};
use crate::{Error, Result};

/// Fewest bytes of a secret: those of the keys that are derived from it.
const SHORTEST: usize = 32;

/// Where the secret of development is kept when there is no SQLite file to keep it beside.
const ELSEWHERE: &str = "data/app.secret";

/// A secret of at least 32 bytes. `Debug` hides it; [`LongSecret::expose`] does not. The default is empty, which is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LongSecret(String);

impl LongSecret {
    /// Accepts a secret of at least 32 bytes; space around it does not belong to it.
    ///
    /// # Errors
    /// A sentence that says what to write instead and does not repeat the secret.
    pub fn new(secret: &str) -> Result<Self, String> {
        let secret = secret.trim();
        if secret.len() < SHORTEST {
            return Err(format!(
                "has {} bytes and must have at least {SHORTEST} that nobody can guess; `openssl rand -base64 32` prints \
                 some",
                secret.len()
            ));
        }
        Ok(Self(secret.to_owned()))
    }

    /// Returns the secret. Not for logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Draws a new one.
    fn draw() -> Result<Self> {
        let mut bytes = [0; SHORTEST];
        getrandom::fill(&mut bytes).map_err(|_| Error::internal("the system has no randomness for a secret"))?;
        Ok(Self(STANDARD.encode(bytes)))
    }

    /// Reads the secret that is kept in a file, or draws one and keeps it there, readable for the file's owner alone.
    fn kept(file: &Path) -> Result<Self> {
        let failed = |verb: &str, source: io::Error| {
            let text = format!("the secret of development, {}, cannot be {verb}; set `app.secret`", file.display());
            Error::new(500, "app_secret", format!("{text}: {source}"))
        };
        let read = || match fs::read_to_string(file) {
            Ok(text) => {
                Self::new(&text).map(Some).map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        if let Some(secret) = read().map_err(|error| failed("read", error))? {
            return Ok(secret);
        }
        let secret = Self::draw()?;
        match write(file, &secret.0) {
            Ok(()) => Ok(secret),
            // Another process was faster, and both must have the same one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read()
                .map_err(|error| failed("read", error))?
                .ok_or_else(|| failed("read", io::ErrorKind::NotFound.into())),
            Err(error) => Err(failed("written", error)),
        }
    }
}

/// Derives a key of a secret, or a name that does not tell it: `about` says what it is for, since one secret has several uses.
///
/// Source: RFC 5869, HKDF, with SHA-256 and without salt.
pub(crate) fn derive<const BYTES: usize>(secret: &str, about: &[u8]) -> Result<[u8; BYTES]> {
    let mut derived = [0; BYTES];
    let source = Hkdf::<Sha256>::new(None, secret.as_bytes());
    source.expand(about, &mut derived).map_err(|_| Error::internal("HKDF failed"))?;
    Ok(derived)
}

/// Writes a file that was not there, whole or not at all.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A temporary file has the mode 0600 and keeps it.
    let mut written = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(written, "{text}")?;
    written.as_file().sync_all()?;
    written.persist_noclobber(file).map(drop).map_err(|failed| failed.error)
}

impl Config {
    /// Returns the application's secrets, the newest first: `app.secret` and those that it replaced.
    ///
    /// Where none is set and nothing needs one, there is none. Where something does, `needed_by` says what in a clause.
    /// Then development makes one and keeps it beside the SQLite file, `data/app.db.secret`, with the mode 0600; one in
    /// memory has nothing that outlives the process, and neither has its secret.
    ///
    /// # Errors
    /// In production, when one is needed and none is set; in development, when it cannot be kept.
    pub fn secrets(&self, needed_by: Option<&str>) -> Result<Option<Vec<LongSecret>>> {
        let newest = match needed_by {
            _ if !self.app.secret.is_empty() => self.app.secret.clone(),
            None => return Ok(None),
            Some(what) if self.environment.is_production() => {
                let message = format!(
                    "must be set, because {what}; `openssl rand -base64 32` prints one for the variable BUNBASE_SECRET"
                );
                return Err(ConfigErrors::from(Problem::new("app.secret", None, message)).into());
            }
            Some(_) if self.database.url.is_sqlite() => match self.database.url.sqlite_file() {
                Some(file) => LongSecret::kept(&beside(file))?,
                None => LongSecret::draw()?,
            },
            Some(_) => LongSecret::kept(Path::new(ELSEWHERE))?,
        };
        Ok(Some(std::iter::once(newest).chain(self.app.previous_secrets.iter().cloned()).collect()))
    }
}

fn beside(file: PathBuf) -> PathBuf {
    let mut name = file.into_os_string();
    name.push(".secret");
    name.into()
}

impl fmt::Debug for LongSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "\"\"" } else { "\"***\"" })
    }
}

impl Setting for LongSecret {
    const KIND: &'static str = "secret";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) | Value::String(text) if text.trim().is_empty() => Ok(Self::default()),
            Value::Text(text) | Value::String(text) => Self::new(text),
            other => Err(format!("must be a string, not {}", other.kind())),
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// In a variable, the items are separated by commas.
impl Setting for Vec<LongSecret> {
    const KIND: &'static str = "list of secrets";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => items(text).map(LongSecret::new).collect(),
            Value::List(values) => values
                .iter()
                .map(|item| match item {
                    Value::String(text) => LongSecret::new(text),
                    other => Err(format!("must be a list of strings, not {}", other.kind())),
                })
                .collect(),
            other => Err(format!("must be a list of strings, not {}", other.kind())),
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
    use crate::config::Loader;

    const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";
    const OLD: &str = "hunter1-hunter1-hunter1-hunter1-hunter1";

    fn exposed(config: &Config, needed_by: Option<&str>) -> Option<Vec<String>> {
        let secrets = config.secrets(needed_by).unwrap()?;
        Some(secrets.iter().map(|secret| secret.expose().to_owned()).collect())
    }

    fn development(url: &str) -> Config {
        Loader::new().debug_build(true).set("database.url", url).load().unwrap()
    }

    #[test]
    fn a_secret_is_set_by_its_variable_and_those_before_it_follow() {
        let loader = Loader::new().variables([("BUNBASE_SECRET", SECRET), ("BUNBASE__APP__PREVIOUS_SECRETS", OLD)]);
        let config = loader.load().unwrap();
        assert_eq!(exposed(&config, None), Some(vec![SECRET.to_owned(), OLD.to_owned()]));
        let config = Loader::new().set("app.secret", SECRET).set("app.previous_secrets", [OLD]).load().unwrap();
        assert_eq!(exposed(&config, Some("of a test")), Some(vec![SECRET.to_owned(), OLD.to_owned()]));
    }

    #[test]
    fn no_secret_is_in_any_output() {
        let loader = Loader::new().set("app.secret", SECRET).set("app.previous_secrets", [OLD]);
        assert!(!format!("{loader:?}").contains("hunter"));
        let config = loader.load().unwrap();
        let shown = format!("{config:?} {config:#?} {:?}", config.secrets(None).unwrap());
        assert!(!shown.contains("hunter") && shown.contains("***"), "{shown}");
        for key in crate::config::keys() {
            assert!(!(key.show)(&config).contains("hunter"), "{}", key.name);
        }
        for wrong in [
            Loader::new().set("app.secret", "hunter2"),
            Loader::new().set("app.previous_secrets", ["hunter2"]),
            Loader::new().set("app.previous_secrets", SECRET),
            Loader::new().file("app.secret = ['hunter2']"),
            Loader::new().variables([("BUNBASE__APP__SECRETS", SECRET)]),
            Loader::new().file(format!("app.secret = '{SECRET}")),
        ] {
            let errors = wrong.load().unwrap_err();
            assert!(!format!("{errors} {errors:?}").contains("hunter"), "{errors}");
        }
    }

    #[test]
    fn a_short_secret_is_refused_and_an_empty_one_is_none() {
        let errors = Loader::new().set("app.secret", "too short").load().unwrap_err();
        assert!(errors.to_string().contains("`app.secret` has 9 bytes and must have at least 32"), "{errors}");
        let config = Loader::new().variables([("BUNBASE_SECRET", " ")]).load().unwrap();
        assert_eq!(config.secrets(None).unwrap(), None);
    }

    #[test]
    fn production_needs_one_only_when_something_does() {
        let config = Loader::new().load().unwrap();
        assert!(config.environment.is_production());
        assert_eq!(config.secrets(None).unwrap(), None);
        let error = config.secrets(Some("`users.create` has sensitive fields")).unwrap_err();
        let text = "`app.secret` must be set, because `users.create` has sensitive fields;";
        assert!(error.to_string().contains(text), "{error}");
        assert!(!Path::new(ELSEWHERE).exists());
    }

    #[test]
    fn development_keeps_one_beside_its_database() {
        let folder = tempfile::tempdir().unwrap();
        let config = development(&format!("sqlite://{}/data/app.db?mode=rwc", folder.path().display()));
        assert_eq!(exposed(&config, None), None);
        let file = folder.path().join("data/app.db.secret");
        assert!(!file.exists());

        let first = exposed(&config, Some("of a test")).unwrap();
        assert_eq!(exposed(&config, Some("of a test")), Some(first.clone()));
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", first[0]));
        let names: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }

        fs::write(&file, "damaged").unwrap();
        let error = config.secrets(Some("of a test")).unwrap_err();
        assert_eq!(error.code(), "app_secret");
    }

    #[test]
    fn processes_that_start_together_have_the_same_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.db.secret");
        let start = std::sync::Barrier::new(8);
        let secrets: Vec<_> = std::thread::scope(|scope| {
            let kept = || {
                start.wait();
                LongSecret::kept(&file).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(kept)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0] && !secret.is_empty()));
    }

    #[test]
    fn a_database_in_memory_has_a_secret_of_its_process() {
        let config = development("sqlite::memory:");
        let first = exposed(&config, Some("of a test")).unwrap();
        assert_ne!(exposed(&config, Some("of a test")).unwrap(), first);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = LongSecret::new(&text);
            let _ = Vec::<LongSecret>::read(&Value::Text(text));
        }
    }
}
