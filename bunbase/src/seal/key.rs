//! One key: made of a secret, and known by a name that does not tell it.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

use super::VERSION;
use crate::{Error, Result, config::derive};

/// Bytes of the random nonce before each sealed value: enough to draw one for each value that there will ever be.
const NONCE_BYTES: usize = 24;

/// What the key, and its name, are derived for: one secret has other uses too.
const FOR_KEY: &[u8] = b"bunbase seal v1 key";
const FOR_NAME: &[u8] = b"bunbase seal v1 name";

/// A key.
pub(super) struct Key {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl Key {
    /// Derives the key of a secret.
    pub(super) fn of(secret: &str) -> Result<Self> {
        let (key, name): ([u8; 32], [u8; 6]) = (derive(secret, FOR_KEY)?, derive(secret, FOR_NAME)?);
        Ok(Self { id: URL_SAFE_NO_PAD.encode(name), cipher: XChaCha20Poly1305::new(&key.into()) })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Seals bytes for a place; returns the whole text.
    pub(super) fn seal(&self, owner: &str, place: &str, bytes: &[u8]) -> Result<String> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| Error::internal("the system has no randomness to seal with"))?;
        let data = bound_to(owner, place);
        let sealed = self.cipher.encrypt(&nonce.into(), Payload { msg: bytes, aad: &data });
        let sealed = sealed.map_err(|_| Error::internal("a value is too large to seal"))?;
        Ok(format!("{VERSION}.{}.{}", self.id, URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// Opens what [`seal`](Self::seal) made for the same place; `None` is anything else.
    pub(super) fn open(&self, owner: &str, place: &str, data: &str) -> Option<Vec<u8>> {
        let data = URL_SAFE_NO_PAD.decode(data).ok()?;
        let (nonce, sealed) = data.split_first_chunk::<NONCE_BYTES>()?;
        let aad = bound_to(owner, place);
        self.cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad }).ok()
    }
}

/// Returns the data that a value is bound to. With the owner's length, so that no two pairs are the same bytes.
fn bound_to(owner: &str, place: &str) -> Vec<u8> {
    [VERSION.as_bytes(), &(owner.len() as u64).to_be_bytes(), owner.as_bytes(), place.as_bytes()].concat()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}
