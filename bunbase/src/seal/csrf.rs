//! Tokens that a page of one's own shows, and a page of somebody else cannot know.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Error, Result, config::derive};

/// What the key is derived for.
const FOR_KEY: &[u8] = b"bunbase csrf v1 key";

/// Bytes of the random beginning. Two tokens of a session differ, so that the length of a compressed page tells nothing of one.
const NONCE_BYTES: usize = 16;

/// Makes and checks tokens that are bound to a session's cookie: base64url (RFC 4648 section 5, without padding) of 16 random bytes
/// and HMAC-SHA-256 of them and the cookie's value. Nothing is stored.
///
/// Source: OWASP, "Cross-Site Request Forgery Prevention Cheat Sheet", signed double-submit cookie.
#[derive(Clone)]
pub(crate) struct CsrfKeys(Vec<Hmac<Sha256>>);

impl CsrfKeys {
    /// Derives the keys of the application's secrets, the newest first: it makes tokens, and all of them check.
    ///
    /// # Errors
    /// 500 when there is no secret.
    pub(crate) fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Result<Self> {
        let key = |secret: S| {
            let key: [u8; 32] = derive(secret.as_ref(), FOR_KEY)?;
            Hmac::new_from_slice(&key).map_err(Error::internal)
        };
        let keys = secrets.into_iter().map(key).collect::<Result<Vec<_>>>()?;
        if keys.is_empty() { Err(Error::internal("there is no secret to derive a key from")) } else { Ok(Self(keys)) }
    }

    /// Makes a token for the session whose cookie has this value, for the header `X-CSRF-Token`. It ends with the cookie.
    ///
    /// # Errors
    /// 500 when the system has no randomness.
    pub(crate) fn token(&self, cookie: &str) -> Result<String> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(|_| Error::internal("the system has no randomness for a token"))?;
        let tag = match self.0.first() {
            Some(key) => bound(key, &nonce, cookie).finalize().into_bytes(),
            None => return Err(Error::internal("there is no key")),
        };
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &tag].concat()))
    }

    /// Returns whether a token was made for the session whose cookie has this value. The time it takes tells nothing of the right one.
    pub(crate) fn accepts(&self, token: &str, cookie: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((nonce, tag)) = bytes.split_first_chunk::<NONCE_BYTES>() else { return false };
        self.0.iter().any(|key| bound(key, nonce, cookie).verify_slice(tag).is_ok())
    }
}

/// The keys of an application, made when the first one is needed: who has no sessions needs no secret. Cheap to clone.
#[derive(Clone)]
pub(crate) struct PageKeys(Arc<Lazy>);

struct Lazy {
    made: OnceLock<CsrfKeys>,
    make: Box<dyn Fn() -> Result<CsrfKeys> + Send + Sync>,
}

impl PageKeys {
    pub(crate) fn new(make: impl Fn() -> Result<CsrfKeys> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Lazy { made: OnceLock::new(), make: Box::new(make) }))
    }

    /// # Errors
    /// 500 when there is no secret to make them of.
    pub(crate) fn get(&self) -> Result<&CsrfKeys> {
        if let Some(keys) = self.0.made.get() {
            return Ok(keys);
        }
        let keys = (self.0.make)()?;
        Ok(self.0.made.get_or_init(|| keys))
    }
}

impl fmt::Debug for PageKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PageKeys").field(&self.0.made.get()).finish()
    }
}

fn bound(key: &Hmac<Sha256>, nonce: &[u8; NONCE_BYTES], cookie: &str) -> Hmac<Sha256> {
    let mut code = key.clone();
    code.update(nonce);
    code.update(cookie.as_bytes());
    code
}

impl fmt::Debug for CsrfKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CsrfKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "a secret of at least 32 bytes, for tests of tokens";
    const OLD: &str = "another secret of at least 32 bytes, that was before";

    fn keys(secrets: &[&str]) -> CsrfKeys {
        CsrfKeys::new(secrets).unwrap()
    }

    #[test]
    fn a_token_is_of_one_session_and_one_secret() {
        let token = keys(&[SECRET]).token("session-1").unwrap();
        assert!(keys(&[SECRET]).accepts(&token, "session-1"));
        assert!(!keys(&[SECRET]).accepts(&token, "session-2"));
        assert!(!keys(&[OLD]).accepts(&token, "session-1"));
        assert_ne!(token, keys(&[SECRET]).token("session-1").unwrap());
        assert!(CsrfKeys::new([""; 0]).is_err());
    }

    #[test]
    fn a_token_of_the_secret_before_is_still_taken() {
        let token = keys(&[OLD]).token("session-1").unwrap();
        assert!(keys(&[SECRET, OLD]).accepts(&token, "session-1"));
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed_or_left_out() {
        let keys = keys(&[SECRET]);
        let token = keys.token("session-1").unwrap();
        for at in 0..token.len() {
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert!(!keys.accepts(&changed, "session-1"), "{at}");
            assert!(!keys.accepts(&token[..at], "session-1"), "{at}");
        }
        assert!(!keys.accepts(&format!("{token}A"), "session-1"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            assert!(!keys(&[SECRET]).accepts(&text, "session-1"));
        }
    }
}
