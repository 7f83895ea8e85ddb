//! Trace ids (W3C Trace Context, version 00).

use std::{cell::Cell, fmt};

use crate::db::hex;

/// A W3C trace id: 16 bytes, not all zero, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// Makes a new one.
    ///
    /// The numbers come from `xoshiro256++` (D. Blackman, S. Vigna, 2019), one generator a thread, seeded by the system:
    /// a trace id must be different from others, not secret.
    pub fn random() -> Self {
        thread_local! {
            static GENERATOR: Cell<[u64; 4]> = Cell::new(seed());
        }
        GENERATOR.with(|generator| {
            let mut state = generator.get();
            let mut bytes = [0; 16];
            loop {
                bytes[..8].copy_from_slice(&next(&mut state).to_be_bytes());
                bytes[8..].copy_from_slice(&next(&mut state).to_be_bytes());
                if bytes != [0; 16] {
                    break;
                }
            }
            generator.set(state);
            Self(bytes)
        })
    }

    pub(crate) fn as_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Reads the trace id of a `traceparent` header; `None` where the header is malformed, as the standard asks.
    ///
    /// ```
    /// # use bunbase::context::TraceId;
    /// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// assert_eq!(TraceId::from_traceparent(header).unwrap().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    /// assert!(TraceId::from_traceparent("00-zz").is_none());
    /// ```
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let header = header.as_bytes();
        let (version, rest) = (header.get(..2)?, header.get(2..55)?);
        let dashes = rest[0] == b'-' && rest[33] == b'-' && rest[50] == b'-';
        // A later version may be longer, after another dash; `ff` is no version.
        let length = header.len() == 55 || (version != b"00" && header.get(55) == Some(&b'-'));
        let lower = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let parent = &rest[34..50];
        if !dashes || !length || version == b"ff" || !version.iter().all(lower) || !rest[51..53].iter().all(lower) {
            return None;
        }
        if !parent.iter().all(lower) || parent.iter().all(|byte| *byte == b'0') {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(rest[1..33].chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// Returns a `traceparent` of this trace, with a new parent id: how it is handed on.
    pub fn to_traceparent(self) -> String {
        let parent = Self::random().to_hex();
        let parent = std::str::from_utf8(&parent[..16]).unwrap_or_default();
        // All zero is no parent id.
        let parent = if parent.bytes().all(|digit| digit == b'0') { "0000000000000001" } else { parent };
        format!("00-{self}-{parent}-01")
    }

    /// Returns the bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the 32 digits without allocating.
    pub fn to_hex(self) -> [u8; 32] {
        hex(self.0)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.to_hex()).unwrap_or_default())
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn seed() -> [u64; 4] {
    let mut state = [0_u64; 4];
    for word in &mut state {
        // Without a source of randomness the address of a local is the best there is; ids need not be secret.
        *word = getrandom::u64().unwrap_or_else(|_| std::process::id().into());
    }
    // The all-zero state would only ever give zeros.
    if state == [0; 4] { [1, 2, 3, 4] } else { state }
}

fn next(state: &mut [u64; 4]) -> u64 {
    let result = state[0].wrapping_add(state[3]).rotate_left(23).wrapping_add(state[0]);
    let shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = state[3].rotate_left(45);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_differ() {
        assert_ne!(TraceId::random(), TraceId::random());
    }

    #[test]
    fn a_malformed_header_has_no_id() {
        for header in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceId::from_traceparent(header), None, "{header}");
        }
    }

    #[test]
    fn a_later_version_may_be_longer() {
        let header = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(TraceId::from_traceparent(header).is_some());
    }
}
