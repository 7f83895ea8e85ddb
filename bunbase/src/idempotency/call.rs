//! What a key is, and what it stands for.

use std::{borrow::Cow, fmt, fmt::Write as _, time::Duration};

use sha2::{Digest, Sha256};

use crate::{
    Error, Result,
    error::{Retry, code},
};

/// Longest key, in characters.
const LONGEST_KEY: usize = 255;

/// Longest scope that is kept as it is, in bytes: with the key it must fit into an entry of the index.
const LONGEST_SCOPE: usize = 512;

/// An idempotency key: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// Reads the header `Idempotency-Key`: the key itself, or a string in quotes.
    ///
    /// Source: draft-ietf-httpapi-idempotency-key-header, whose value is a string of RFC 8941; most clients leave the
    /// quotes out.
    ///
    /// ```
    /// # use bunbase::idempotency::Key;
    /// assert_eq!(Key::parse("8e03978e-40d5")?, Key::parse("\"8e03978e-40d5\"")?);
    /// assert_eq!(Key::parse("").unwrap_err().code(), "idempotency_key");
    /// # Ok::<(), bunbase::Error>(())
    /// ```
    ///
    /// # Errors
    /// 422 `idempotency_key`.
    pub fn parse(header: &str) -> Result<Self> {
        let text = header.trim_matches([' ', '\t']);
        let text = if text.starts_with('"') { unquoted(text) } else { Some(Cow::Borrowed(text)) };
        text.filter(|text| is_key(text)).map(|text| Self(text.into_owned())).ok_or_else(|| {
            let text = "an idempotency key is 1 to 255 visible ASCII characters";
            Error::new(422, code::IDEMPOTENCY_KEY, text).retry(Retry::Never)
        })
    }

    /// Makes a key of what identifies a call elsewhere: a delivery's id, an event's, a job's. Text that cannot be a key
    /// stands as its hash.
    pub fn of(text: &str) -> Self {
        Self(if is_key(text) { text.to_owned() } else { hash(text) })
    }

    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_key(text: &str) -> bool {
    (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads a string of RFC 8941 section 3.3.3, its quotes included.
fn unquoted(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => return None,
            '\\' => plain.push(characters.next().filter(|next| matches!(next, '"' | '\\'))?),
            other => plain.push(other),
        }
    }
    Some(plain.into())
}

/// What a call is, without its key: two calls with one key must have the same one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Makes the fingerprint of a call's parts, in order: its method and path, say, and its body.
    ///
    /// ```
    /// # use bunbase::idempotency::Fingerprint;
    /// assert!(Fingerprint::of(&[b"ab", b"c"]) != Fingerprint::of(&[b"a", b"bc"]));
    /// ```
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // With its length, so that no two lists of parts are the same text.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprint").finish_non_exhaustive()
    }
}

/// A call with a key.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) scope: String,
    pub(super) key: Key,
    pub(super) fingerprint: Fingerprint,
    pub(super) lock: Duration,
}

impl Call {
    /// Describes a call.
    ///
    /// `scope` is what the key belongs to: the action *and who calls it*. Without the caller in it, one who guesses
    /// another's key is given the other's answer.
    ///
    /// `lock` is how long the call is alone with its key unless it [says more](super::Held::extend): longer than it may
    /// take. When its process dies, the next one with the key runs after that.
    pub fn new(scope: &str, key: Key, fingerprint: Fingerprint, lock: Duration) -> Self {
        let fits = scope.len() <= LONGEST_SCOPE && !scope.contains('\0');
        let scope = if fits { scope.to_owned() } else { hash(scope) };
        Self { scope, key, fingerprint, lock }
    }
}

fn hash(text: &str) -> String {
    let mut hash = "sha256:".to_owned();
    for byte in Sha256::digest(text) {
        // Writing to a `String` cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(header: &str) -> Option<String> {
        match Key::parse(header) {
            Ok(key) => Some(key.0),
            Err(error) => {
                assert_eq!((error.status(), error.code()), (422, "idempotency_key"));
                None
            }
        }
    }

    #[test]
    fn a_key_is_visible_ascii_with_or_without_quotes() {
        let longest = "x".repeat(255);
        for (header, key) in [
            ("8e03978e", "8e03978e"),
            (" 8e03978e\t", "8e03978e"),
            ("\"8e03978e\"", "8e03978e"),
            (r#""a\"b\\c""#, r#"a"b\c"#),
            ("a\"b", "a\"b"),
            (&longest, &longest),
        ] {
            assert_eq!(parsed(header).as_deref(), Some(key));
        }
        let too_long = "x".repeat(256);
        for header in
            ["", " ", "\"\"", "\"", "\"a", "\"a\"b\"", r#""a\b""#, r#""a\""#, "a b", "\"a b\"", "ä", "a\0", &too_long]
        {
            assert_eq!(parsed(header), None, "{header:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_key_stands_as_its_hash() {
        assert_eq!(Key::of("evt_1").as_str(), "evt_1");
        for text in ["", "a b", "\0", &"x".repeat(256)] {
            assert!(Key::of(text).as_str().starts_with("sha256:"), "{text:?}");
        }
    }

    #[test]
    fn a_scope_of_any_length_fits_into_the_index() {
        let call = |scope: &str| Call::new(scope, Key::of("k"), Fingerprint::of(&[]), Duration::ZERO).scope;
        assert_eq!(call("tasks.create user:1"), "tasks.create user:1");
        assert_eq!(call(&"x".repeat(10_000)).len(), "sha256:".len() + 64);
        assert_ne!(call("\0"), call("\0\0"));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in "[\"\\\\a ]{0,12}|\\PC{0,12}") {
            let _ = Key::parse(&header);
            let key = Key::of(&header);
            prop_assert_eq!(Key::of(key.as_str()), key);
        }

        #[test]
        fn a_key_in_quotes_reads_back(key in "[!-~]{1,255}") {
            let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(parsed(&quoted), Some(key));
        }
    }
}
