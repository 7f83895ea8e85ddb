//! Values that are never shown, such as the password of a mail server.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// What [`Reader`](super::reader::Reader) knows it by.
pub(super) const NAME: &str = "bunbase::config::Secret";

/// A value that no log and no error shows: `Debug` and `Display` print `***`, and there is no `Serialize`. [`expose`](Self::expose) gives it up.
///
/// In the section `application` it may be in a file, as container platforms mount secrets: `password = { file = "/run/secrets/mail" }`, or
/// the variable `BUNBASE__APPLICATION__MAIL__PASSWORD__FILE`. A line break at the end of the file does not belong to it. The text of a variable and of
/// a file becomes what the type asks for.
///
/// ```
/// # use bunbase::config::{Loader, Secret};
/// #[derive(Debug, serde::Deserialize)]
/// struct Mail { password: Secret, pin: Secret<u16> }
///
/// let variables = [("BUNBASE__APPLICATION__PASSWORD", "hunter2"), ("BUNBASE__APPLICATION__PIN", "1234")];
/// let mail: Mail = Loader::new().variables(variables).load()?.application()?;
/// assert_eq!((mail.password.expose().as_str(), *mail.pin.expose()), ("hunter2", 1234));
/// assert_eq!(format!("{mail:?}"), "Mail { password: ***, pin: *** }");
/// # Ok::<(), bunbase::config::ConfigErrors>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<T = String>(T);

/// Reads a setting that is in a file. Editors and `echo` end a file with a line break, which belongs to no setting.
pub(super) fn in_file(path: &str) -> std::io::Result<String> {
    let mut text = std::fs::read_to_string(path)?;
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(text)
}

impl<T> Secret<T> {
    /// Hides a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value. Not for logs.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Gives the value up.
    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Secret<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                T::deserialize(deserializer).map(Secret)
            }
        }
        deserializer.deserialize_newtype_struct(NAME, Visitor(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loader;

    #[derive(Debug, Deserialize)]
    struct Mail {
        password: Secret,
    }

    fn mail(loader: Loader) -> Result<Mail, String> {
        loader.load().unwrap().application().map_err(|errors| errors.problems()[0].to_string())
    }

    #[test]
    fn a_secret_is_read_from_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mail");
        std::fs::write(&file, "hunter2\n").unwrap();
        let path = file.to_str().unwrap();
        for loader in [
            Loader::new().set("application.password", "hunter2"),
            Loader::new().file("application.password = 'hunter2'"),
            Loader::new().file(format!("application.password = {{ file = '{path}' }}")),
            Loader::new().variables([("BUNBASE__APPLICATION__PASSWORD__FILE", path)]),
        ] {
            assert_eq!(mail(loader).unwrap().password.expose(), "hunter2");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_what_is_there_is_not_shown() {
        let loader = Loader::new().file("application.password = { file = '/nowhere/at/all' }");
        let message = mail(loader).unwrap_err();
        assert!(message.contains("`application.password`") && message.contains("/nowhere/at/all"), "{message}");
        let message = mail(Loader::new().file("application.password = ['hunter2']")).unwrap_err();
        assert!(message.contains("must be a string") && !message.contains("hunter2"), "{message}");
        let loader = Loader::new().file("application.password = { hunter2 = 1 }");
        assert!(!mail(loader).unwrap_err().contains("hunter2"));
        assert_eq!(format!("{:?} {}", Secret::new("hunter2"), Secret::new(2)), "*** ***");
    }
}
