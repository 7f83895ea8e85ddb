//! The ids of traces and spans (W3C Trace Context).

use std::{
    cell::Cell,
    fmt,
    num::NonZeroU64,
    time::{SystemTime, UNIX_EPOCH},
};

use super::Parent;

/// A W3C trace id: 16 bytes, not all zero, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A W3C span id: 8 bytes, not all zero, written as 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(NonZeroU64);

thread_local! {
    /// `xoshiro256++` (D. Blackman, S. Vigna, 2019), one generator a thread, seeded by the system: an id must be different from others,
    /// not secret.
    static GENERATOR: Cell<[u64; 4]> = Cell::new(seed());
}

/// Draws numbers until `make` takes one.
fn draw<T>(make: impl Fn(&mut dyn FnMut() -> u64) -> Option<T>) -> T {
    GENERATOR.with(|generator| {
        let mut state = generator.get();
        loop {
            if let Some(made) = make(&mut || next(&mut state)) {
                generator.set(state);
                return made;
            }
        }
    })
}

impl TraceId {
    /// Makes a new one: 48 bits that count milliseconds of Unix time, and 80 that are random, of which the standard asks for 56 (W3C Trace Context, level 2,
    /// "Random Trace ID Flag"). Where ids are kept by an index, those of a time are together in it.
    pub fn generate() -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        draw(|next| {
            Self::from_bytes((millis << 80 | u128::from(next() >> 48) << 64 | u128::from(next())).to_be_bytes())
        })
    }

    /// Makes one of its bytes; `None` where all of them are zero.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
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
        Parent::read(header).map(|parent| parent.trace)
    }

    /// Returns the bytes.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Returns the 32 digits without allocating.
    pub fn to_hex(self) -> [u8; 32] {
        let mut digits = [0; 32];
        write_hex(&self.0, &mut digits);
        digits
    }
}

impl SpanId {
    /// Makes a new one.
    pub fn random() -> Self {
        draw(|next| NonZeroU64::new(next()).map(Self))
    }

    /// Makes one of its bytes; `None` where all of them are zero.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        Self::from_u64(u64::from_be_bytes(bytes))
    }

    pub(crate) fn from_u64(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    pub(crate) fn as_u64(self) -> u64 {
        self.0.get()
    }

    /// Returns the bytes.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }

    /// Returns the 16 digits without allocating.
    pub fn to_hex(self) -> [u8; 16] {
        let mut digits = [0; 16];
        write_hex(&self.to_bytes(), &mut digits);
        digits
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

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.to_hex()).unwrap_or_default())
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn write_hex(bytes: &[u8], digits: &mut [u8]) {
    // By arithmetic and not by a table: many at a time.
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 15);
    }
}

fn seed() -> [u64; 4] {
    let mut state = [0_u64; 4];
    for word in &mut state {
        // Without a source of randomness the number of the process is the best there is; ids need not be secret.
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
    fn ids_differ_and_those_of_traces_begin_with_the_time() {
        let before = chrono::Utc::now().timestamp_millis();
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| TraceId::generate()).collect();
        let after = chrono::Utc::now().timestamp_millis();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let millis = i64::try_from(id.as_u128() >> 80).unwrap();
            assert!((before..=after).contains(&millis), "{before} <= {millis} <= {after}");
        }
        assert_ne!(SpanId::random(), SpanId::random());
    }

    #[test]
    fn ids_are_written_as_their_bytes() {
        let trace = TraceId::from_bytes(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes()).unwrap();
        assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(SpanId::from_u64(0x00f0_67aa_0ba9_02b7).unwrap().to_string(), "00f067aa0ba902b7");
        assert_eq!((TraceId::from_bytes([0; 16]), SpanId::from_bytes([0; 8])), (None, None));
    }
}
