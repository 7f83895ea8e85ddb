//! What a delivery is known by.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Longest id that is kept as it is, in bytes.
const LONGEST: usize = 255;

/// Returns the sender's id, or a hash of what was signed where there is none that can be kept.
pub(super) fn of(given: Option<&str>, signed: &[&[u8]]) -> String {
    let can_be_kept =
        |id: &&str| !id.is_empty() && id.len() <= LONGEST && id.bytes().all(|byte| byte.is_ascii_graphic());
    given.filter(can_be_kept).map_or_else(|| hash(signed), str::to_owned)
}

fn hash(signed: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in signed {
        hash.update(part);
    }
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_cannot_be_kept_gives_way_to_a_hash() {
        assert_eq!(of(Some("evt_1"), &[b"x"]), "evt_1");
        let hash = of(None, &[b"he", b"llo"]);
        assert_eq!(hash, "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        for id in ["", "a b", "a\u{0}", "ä", &"x".repeat(256)] {
            assert_eq!(of(Some(id), &[b"hello"]), hash, "{id:?}");
        }
    }
}
