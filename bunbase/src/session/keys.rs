//! The keys that tokens are signed with.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::token::PREFIX;
use crate::{Error, Result, config::derive};

/// Bytes of a key's name.
pub(super) const NAME_BYTES: usize = 4;

/// Bytes of a tag.
pub(super) const TAG_BYTES: usize = 32;

/// What the key, and its name, are derived for: one secret has other uses too.
const FOR_KEY: &[u8] = b"bunbase session v1 key";
const FOR_NAME: &[u8] = b"bunbase session v1 name";

/// The keys that tokens are signed with and checked by: the newest signs, all of them check.
///
/// So a secret is replaced by putting the new one before the old one, and the old one is left out once the tokens that it signed have
/// expired.
#[derive(Clone)]
pub struct KeyRing(Vec<Key>);

#[derive(Clone)]
struct Key {
    name: [u8; NAME_BYTES],
    /// Has seen the key and the prefix already.
    mac: Hmac<Sha256>,
}

impl KeyRing {
    /// Derives the keys of secrets, the newest first.
    ///
    /// # Errors
    /// 500 when there is none.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Result<Self> {
        let keys = secrets.into_iter().map(Key::of).collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Err(Error::internal("there is no secret to sign sessions with"));
        }
        Ok(Self(keys))
    }

    /// Signs a body that begins with room for the key's name.
    pub(super) fn sign(&self, body: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
        let key = self.0.first()?;
        body.get_mut(..NAME_BYTES)?.copy_from_slice(&key.name);
        let mut mac = key.mac.clone();
        mac.update(body);
        Some(mac.finalize().into_bytes().into())
    }

    /// Returns whether one of the keys signed this body. Tags are compared in constant time.
    pub(super) fn verify(&self, body: &[u8], tag: &[u8]) -> bool {
        let Some(name) = body.get(..NAME_BYTES) else { return false };
        // Two keys of one name are as likely as anybody guessing 4 bytes, and then both are tried.
        self.0.iter().filter(|key| key.name == name).any(|key| {
            let mut mac = key.mac.clone();
            mac.update(body);
            mac.verify_slice(tag).is_ok()
        })
    }
}

impl Key {
    fn of(secret: &str) -> Result<Self> {
        let (key, name): ([u8; 32], _) = (derive(secret, FOR_KEY)?, derive(secret, FOR_NAME)?);
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).map_err(Error::internal)?;
        mac.update(PREFIX.as_bytes());
        Ok(Self { name, mac })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| key.name)).finish()
    }
}
