//! Sizes as people write them: `"512KB"`, `"10MB"`, `"1GiB"`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::UnitError;

/// Units with their size in bytes. `KB` and its kin are powers of 1000, `KiB` and its kin powers of 1024 (IEC 80000-13).
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// A number of bytes that reads and prints with a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size of so many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of so many KiB (1024 bytes); `u64::MAX` bytes at most.
    #[must_use]
    pub const fn from_kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// A size of so many MiB (1024² bytes); `u64::MAX` bytes at most.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// Returns the number of bytes.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the number of bytes as a length in memory; `usize::MAX` where it does not fit.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Reads a whole number and a unit: `B`, `KB`, `MB`, `GB`, `TB` (powers of 1000) or `KiB`, `MiB`, `GiB`, `TiB` (powers of
/// 1024), in upper or lower case. `"0"` needs no unit.
///
/// # Errors
/// When the number is missing, is not whole or is too large, or the unit is missing or unknown. The message says what to
/// write instead.
///
/// ```
/// # use bunbase::config::size;
/// assert_eq!(size::parse("10MB").unwrap().as_u64(), 10_000_000);
/// assert_eq!(size::parse("1GiB").unwrap().as_u64(), 1 << 30);
/// ```
pub fn parse(text: &str) -> Result<ByteSize, UnitError> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() || unit.starts_with(['.', ',']) {
        return Err(UnitError::new("must be a whole number and a unit, like \"10MB\" or \"512KiB\""));
    }
    let too_large = || UnitError::new("is larger than can be counted");
    let number: u64 = number.parse().map_err(|_| too_large())?;
    let unit = unit.trim_start();
    if unit.is_empty() {
        return if number == 0 { Ok(ByteSize(0)) } else { Err(without_unit(number)) };
    }
    let Some((_, bytes)) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
        return Err(UnitError::new(
            "must end in one of the units B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024)",
        ));
    };
    number.checked_mul(*bytes).map(ByteSize).ok_or_else(too_large)
}

/// The answer to a number that could mean anything; names the unit that says the same, and a shorter one where there is one.
pub(super) fn without_unit(number: u64) -> UnitError {
    let short = ByteSize(number).to_string();
    let plain = format!("{number}B");
    if short == plain {
        return UnitError::new(format!("needs a unit: write \"{plain}\" for bytes"));
    }
    UnitError::new(format!("needs a unit: write \"{plain}\", or \"{short}\", which is the same"))
}

impl fmt::Display for ByteSize {
    /// Prints the shortest number with a unit that is exact, so that [`parse`] reads back the same size.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = UNITS.iter().filter(|(_, bytes)| self.0.is_multiple_of(*bytes));
        let (unit, bytes) = exact.min_by_key(|(_, bytes)| self.0 / bytes).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, bytes) in [
            ("512KB", 512_000),
            ("10MB", 10_000_000),
            ("1GiB", 1 << 30),
            ("10 mib", 10 << 20),
            ("7B", 7),
            ("2TB", 2_000_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_answered_with_the_same_size() {
        let message = parse("10485760").unwrap_err().to_string();
        assert_eq!(message, "needs a unit: write \"10485760B\", or \"10MiB\", which is the same");
    }

    #[test]
    fn what_is_not_a_size_is_refused() {
        for text in ["", "MB", "-1MB", "1.5MB", "10M", "99999999999999999999B", "99999999999TiB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(bytes: u64) {
            prop_assert_eq!(parse(&ByteSize(bytes).to_string()), Ok(ByteSize(bytes)));
        }

        #[test]
        fn round_sizes_are_read_back(number in 0..1_000_000_u64, unit in 0..UNITS.len()) {
            let size = ByteSize(number * UNITS[unit].1);
            prop_assert_eq!(parse(&size.to_string()), Ok(size));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = parse(&text);
        }

        #[test]
        fn no_number_with_a_unit_makes_it_panic(text in "[0-9]{0,24} ?[A-Za-z]{0,3}") {
            let _ = parse(&text);
        }
    }
}
