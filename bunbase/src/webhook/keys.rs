//! The codes that a scheme compares with.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::SigningSecret;

/// Most signatures of one delivery that are tried. Senders give two while they replace a secret.
const MOST_SIGNATURES: usize = 16;

/// The keys of a scheme, newest or not: each may have signed.
pub(super) struct Keys {
    /// Begun under each key, so that neither the key nor the secret is kept.
    codes: Vec<Hmac<Sha256>>,
    problems: Vec<String>,
}

impl Keys {
    /// Makes the keys of a secret whose bytes are the key.
    pub(super) fn new(secret: SigningSecret) -> Self {
        Self::decoded(secret, |text| Ok(text.as_bytes().to_vec()))
    }

    /// Makes the keys of a secret that is written in another way; `key` reads one, or says what it must be.
    pub(super) fn decoded(secret: SigningSecret, key: impl Fn(&str) -> Result<Vec<u8>, &'static str>) -> Self {
        let SigningSecret { texts, mut problems } = secret;
        let mut codes = Vec::new();
        for text in texts {
            let code = key(&text).and_then(|key| {
                Hmac::new_from_slice(&key).map_err(|_| "a signing secret cannot be used as a key of HMAC-SHA256")
            });
            match code {
                Ok(code) => codes.push(code),
                Err(problem) => problems.push(problem.to_owned()),
            }
        }
        Self { codes, problems }
    }

    /// Returns whether one of the signatures is the code of `parts`, one behind the other, under one of the keys.
    pub(super) fn signed<S: AsRef<[u8]>>(&self, parts: &[&[u8]], signatures: &[S]) -> bool {
        self.codes.iter().any(|code| {
            let mut code = code.clone();
            for part in parts {
                code.update(part);
            }
            signatures
                .iter()
                .take(MOST_SIGNATURES)
                .any(|signature| code.clone().verify_slice(signature.as_ref()).is_ok())
        })
    }

    /// Returns everything that is wrong with the secrets.
    pub(super) fn problem(&self) -> Option<String> {
        (!self.problems.is_empty()).then(|| self.problems.join("; "))
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("count", &self.codes.len()).field("problems", &self.problems).finish()
    }
}

/// Reads 32 bytes of hexadecimal digits.
pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |index: usize| char::from(pair[index]).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Source: RFC 4231, "Identifiers and Test Vectors for HMAC-SHA-256", test case 2.
    #[test]
    fn a_code_is_that_of_the_standard() {
        let keys = Keys::new(SigningSecret::new("Jefe"));
        let code = from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").unwrap();
        assert!(keys.signed(&[b"what do ya want ", b"for nothing?"], &[code]));
        assert!(!keys.signed(&[b"what do ya want ", b"for nothing!"], &[code]));
    }

    #[test]
    fn any_of_the_keys_may_have_signed_and_without_a_key_nobody_has() {
        let code = from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").unwrap();
        let parts: [&[u8]; 1] = [b"what do ya want for nothing?"];
        assert!(Keys::new(SigningSecret::new("new\nJefe")).signed(&parts, &[[0; 32], code]));
        assert!(!Keys::new(SigningSecret::new("")).signed(&parts, &[code]));
        assert!(!Keys::new(SigningSecret::new("Jefe")).signed(&parts, &[&code[..31]]));
        assert!(!Keys::new(SigningSecret::new("Jefe")).signed::<[u8; 32]>(&parts, &[]));
    }

    #[test]
    fn only_so_many_signatures_are_tried() {
        let code = from_hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").unwrap();
        let mut signatures = vec![[0; 32]; MOST_SIGNATURES];
        signatures.push(code);
        assert!(!Keys::new(SigningSecret::new("Jefe")).signed(&[b"what do ya want for nothing?"], &signatures));
    }

    proptest! {
        #[test]
        fn what_is_written_in_hex_reads_back(bytes: [u8; 32]) {
            let text = super::super::tests::hex(&bytes);
            prop_assert_eq!(from_hex(&text), Some(bytes));
            prop_assert_eq!(from_hex(&text.to_uppercase()), Some(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-fA-F]{62,66}|\\PC{60,66}") {
            let _ = from_hex(&text);
        }
    }
}
