//! Sealing: `#[sensitive]` values of messages that are stored, encrypted and bound to their place.
//!
//! Here: which values of a message those are, the keys, and the form in which a sealed value stands in JSON. Not here:
//! where messages are stored (`queue`, `events`), and where the secret comes from (`config`). May name: `config`,
//! `schema`, `error`.
//!
//! A sealed value is an object in the place of the value: `{"$sealed": "v1.KEY.DATA"}`. `KEY` names the key and `DATA`
//! is base64url (RFC 4648 section 5, without padding) of a random nonce of 24 bytes and the value's JSON under
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha). The authenticated data are the message's owner, which is the action or
//! the event, and the value's place in the message. So whoever can write to the table can neither read a value, nor
//! change it, nor have another action or another field take it for its own. He can delete it, put a value of his own
//! there, or give a message the value that another message had in the same place.
//!
//! Its length shows the value's. A message that has an object with the key `$sealed` of its own comes back as it was:
//! such an object is sealed too.

mod csrf;
mod key;
mod sensitive;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

pub(crate) use self::csrf::{CsrfKeys, PageKeys};
use self::key::Key;
pub use self::sensitive::Sensitive;
use crate::{Error, Result, error::Retry};

/// The key of the object that stands for a value.
const MARK: &str = "$sealed";

/// The mark as a text of JSON has it.
const MARK_IN_TEXT: &str = "\"$sealed\"";

/// The form of this version.
const VERSION: &str = "v1";

/// Seals and opens the values of messages.
///
/// The newest key seals, all of them open. So a secret is replaced by putting the new one before the old one, and the
/// old one is left out once no message is stored that was sealed under it.
///
/// ```
/// # use bunbase::seal::{Sealer, Sensitive};
/// # use bunbase::schema::{Field, Probe};
/// # fn main() -> bunbase::Result<()> {
/// const FIELDS: &[Field] = &[Field { sensitive: true, ..Field::new::<String>("password", None) }];
///
/// let sealer = Sealer::new(["a secret of at least 32 bytes, from the configuration"])?;
/// let message = serde_json::json!({ "password": "hunter2" });
/// let stored = sealer.seal("users.create", &Sensitive::of(FIELDS), &message)?;
/// assert!(!stored.contains("hunter2"));
/// assert_eq!(sealer.open("users.create", &stored)?, message.to_string());
/// assert!(sealer.open("users.delete", &stored).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Sealer {
    newest: Key,
    older: Vec<Key>,
}

impl Sealer {
    /// Makes the keys of secrets, the newest first.
    ///
    /// # Errors
    /// 500 when there is none.
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self> {
        let mut secrets = secrets.into_iter().map(|secret| Key::of(secret.as_ref()));
        let newest = secrets.next().unwrap_or_else(|| Err(Error::internal("there is no secret to seal with")))?;
        Ok(Self { newest, older: secrets.collect::<Result<_>>()? })
    }

    /// Writes a message as JSON, with its sensitive values sealed. `owner` is the action or the event that it belongs
    /// to.
    ///
    /// # Errors
    /// 500 when it cannot be written as JSON, or the system has no randomness.
    pub fn seal(&self, owner: &str, sensitive: &Sensitive, message: &impl Serialize) -> Result<String> {
        if !sensitive.any() {
            let text = serde_json::to_string(message)?;
            // Most messages end here.
            if !text.contains(MARK_IN_TEXT) {
                return Ok(text);
            }
        }
        let mut message = serde_json::to_value(message)?;
        self.seal_value(owner, sensitive, &mut message)?;
        Ok(message.to_string())
    }

    /// Seals the sensitive values of a message in their places.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_value(&self, owner: &str, sensitive: &Sensitive, message: &mut Value) -> Result<()> {
        for place in sensitive.places(message) {
            if let Some(value) = message.pointer_mut(&place) {
                let text = self.newest.seal(owner, &place, value.to_string().as_bytes())?;
                *value = Value::Object(Map::from_iter([(MARK.to_owned(), Value::String(text))]));
            }
        }
        Ok(())
    }

    /// Returns a message as it was before [`seal`](Self::seal). One that has nothing sealed is returned as it is.
    ///
    /// # Errors
    /// 500 `seal_key` when a value was sealed under a key that is not here; 500 `seal_broken`, never retried, when one
    /// was changed, or belongs elsewhere.
    pub fn open<'a>(&self, owner: &str, text: &'a str) -> Result<Cow<'a, str>> {
        if !text.contains(MARK_IN_TEXT) {
            return Ok(Cow::Borrowed(text));
        }
        let mut message = serde_json::from_str(text)?;
        self.open_value(owner, &mut message)?;
        Ok(Cow::Owned(message.to_string()))
    }

    /// Opens the sealed values of a message in their places.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_value(&self, owner: &str, message: &mut Value) -> Result<()> {
        // Found first and opened then: what a value held is not looked at again.
        for place in sensitive::marked(message) {
            if let Some(value) = message.pointer_mut(&place) {
                let json = match value.get(MARK) {
                    Some(Value::String(text)) => self.open_text(owner, &place, text)?,
                    _ => return Err(broken("it is not text")),
                };
                *value = serde_json::from_slice(&json)?;
            }
        }
        Ok(())
    }

    /// Seals bytes that are stored beside a message, whole: a delivery's body, as it came. `place` says what they are, and is no
    /// pointer, so that they cannot stand for a value of a message. The text is `v1.KEY.DATA`.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub fn seal_bytes(&self, owner: &str, place: &str, bytes: &[u8]) -> Result<String> {
        self.newest.seal(owner, place, bytes)
    }

    /// Returns the bytes that [`seal_bytes`](Self::seal_bytes) sealed for the same owner and place.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_bytes(&self, owner: &str, place: &str, text: &str) -> Result<Vec<u8>> {
        self.open_text(owner, place, text)
    }

    fn open_text(&self, owner: &str, place: &str, text: &str) -> Result<Vec<u8>> {
        let mut parts = text.split('.');
        let (Some(VERSION), Some(id), Some(data), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(broken("it is of another form"));
        };
        let mut keys = std::iter::once(&self.newest).chain(&self.older);
        let key = keys.find(|key| key.id() == id).ok_or_else(|| {
            let text = "a value of a stored message was sealed under another secret; \
                        `app.previous_secrets` is the place for those that were replaced";
            Error::new(500, "seal_key", text).caused_by(text)
        })?;
        key.open(owner, place, data).ok_or_else(|| broken("it was changed, or belongs elsewhere"))
    }
}

fn broken(why: &'static str) -> Error {
    Error::new(500, "seal_broken", "a sealed value of a stored message cannot be opened")
        .retry(Retry::Never)
        .caused_by(why)
}
