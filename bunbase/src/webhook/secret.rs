//! Where a signing secret comes from.

use std::{ffi::OsString, fmt, fs};

/// The secret that the sender of a webhook signs with, read when this is made.
///
/// It comes from a variable of the environment, never from source code: `stripe("STRIPE_WEBHOOK_SECRET")` names the
/// variable. When that is not set, `STRIPE_WEBHOOK_SECRET_FILE` may name a file that holds the secret. One secret a
/// line: while a secret is replaced, the old one and the new one both hold.
///
/// One that is missing or empty is a problem that stops the start, and until then no delivery is taken. `Debug` shows
/// how many there are.
#[derive(Clone)]
pub struct SigningSecret {
    pub(super) texts: Vec<String>,
    pub(super) problems: Vec<String>,
}

impl SigningSecret {
    /// Reads the variable `name` of the process, or the file that the variable `name` with `_FILE` behind it names.
    pub fn env(name: &str) -> Self {
        Self::read(name, |name| std::env::var_os(name))
    }

    /// Takes a secret that the application has from elsewhere, such as a vault. One a line.
    pub fn new(secret: &str) -> Self {
        let mut this = Self { texts: Vec::new(), problems: Vec::new() };
        this.add(secret, "the signing secret");
        this
    }

    /// Takes another one too. Each of them must be there.
    #[must_use]
    pub fn or(mut self, other: impl Into<Self>) -> Self {
        let other = other.into();
        self.texts.extend(other.texts);
        self.problems.extend(other.problems);
        self
    }

    fn read(name: &str, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut this = Self { texts: Vec::new(), problems: Vec::new() };
        if !is_variable(name) {
            // Not repeated: whoever writes a secret here must not find it in the log as well.
            this.problems.push(
                "a signing secret is named by its variable, in capitals, digits and underscores: \
                 `stripe(\"STRIPE_WEBHOOK_SECRET\")`"
                    .to_owned(),
            );
            return this;
        }
        let file = format!("{name}_FILE");
        match (variable(name), variable(&file)) {
            (Some(_), Some(_)) => this.problems.push(format!("both `{name}` and `{file}` are set; unset one of them")),
            (Some(text), None) => match text.to_str() {
                Some(text) => this.add(text, &format!("`{name}`")),
                None => this.problems.push(format!("`{name}` is not UTF-8 text")),
            },
            (None, Some(path)) => match fs::read_to_string(&path) {
                Ok(text) => this.add(&text, &format!("the file that `{file}` names")),
                Err(error) => this.problems.push(format!("the file that `{file}` names cannot be read: {error}")),
            },
            (None, None) => {
                this.problems
                    .push(format!("`{name}` is not set, nor is `{file}`, which may name a file that holds it"));
            }
        }
        this
    }

    fn add(&mut self, text: &str, source: &str) {
        let before = self.texts.len();
        self.texts.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
        if self.texts.len() == before {
            self.problems.push(format!("{source} is empty"));
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Reads the variable of this name: a secret itself does not stand in source code.
impl From<&'static str> for SigningSecret {
    fn from(name: &'static str) -> Self {
        Self::env(name)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningSecret").field("count", &self.texts.len()).field("problems", &self.problems).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "STRIPE_WEBHOOK_SECRET";

    fn read(variables: &[(&str, &str)]) -> SigningSecret {
        SigningSecret::read(NAME, |name| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    fn problem(variables: &[(&str, &str)]) -> String {
        let secret = read(variables);
        assert!(secret.texts.is_empty(), "{secret:?}");
        secret.problems.join("; ")
    }

    #[test]
    fn a_variable_holds_one_secret_a_line() {
        assert_eq!(read(&[(NAME, "whsec_new")]).texts, ["whsec_new"]);
        assert_eq!(read(&[(NAME, " whsec_new\r\n\nwhsec_old\n")]).texts, ["whsec_new", "whsec_old"]);
    }

    #[test]
    fn a_file_is_read_where_the_variable_is_not_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "whsec_new\n").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(read(&[("STRIPE_WEBHOOK_SECRET_FILE", path)]).texts, ["whsec_new"]);
        let both = problem(&[(NAME, "x"), ("STRIPE_WEBHOOK_SECRET_FILE", path)]);
        assert!(both.starts_with("both `STRIPE_WEBHOOK_SECRET` and"), "{both}");
        let missing = problem(&[("STRIPE_WEBHOOK_SECRET_FILE", "/no/such/file")]);
        assert!(missing.contains("cannot be read"), "{missing}");
    }

    #[test]
    fn a_missing_or_empty_secret_is_a_problem_that_names_the_variable() {
        assert!(problem(&[]).contains("`STRIPE_WEBHOOK_SECRET` is not set"));
        assert_eq!(problem(&[(NAME, " \n ")]), "`STRIPE_WEBHOOK_SECRET` is empty");
        assert_eq!(SigningSecret::new("").problems, ["the signing secret is empty"]);
    }

    #[test]
    fn a_secret_in_the_place_of_its_name_is_refused_and_not_repeated() {
        for text in ["whsec_hunter2", "", "9LIVES", "It's a Secret"] {
            let secret = SigningSecret::read(text, |_| Some("x".into()));
            assert!(secret.texts.is_empty());
            assert!(secret.problems[0].contains("named by its variable"), "{secret:?}");
            assert!(!format!("{secret:?}").contains("hunter2"));
        }
    }

    #[test]
    fn every_one_of_several_must_be_there() {
        let secret = SigningSecret::new("new").or(SigningSecret::new("old"));
        assert_eq!(secret.texts, ["new", "old"]);
        let secret = SigningSecret::new("new").or(SigningSecret::env("BUNBASE_NO_SUCH_SECRET"));
        assert_eq!(secret.problems.len(), 1);
    }

    #[test]
    fn no_secret_is_shown() {
        assert_eq!(format!("{:?}", SigningSecret::new("hunter2")), "SigningSecret { count: 1, problems: [] }");
    }
}
