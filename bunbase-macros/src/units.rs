//! Durations and sizes as people write them: `"10s"`, `"5MB"`.

use std::time::Duration;

/// The units of time, in milliseconds.
const TIME: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// The units of size, in bytes: powers of ten, and with an `i` powers of two.
const SIZE: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// Reads a duration: a whole number and `ms`, `s`, `m`, `h` or `d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let example = "a whole number and one of `ms`, `s`, `m`, `h`, `d`, such as `\"10s\"`";
    measure(text, &TIME).map(Duration::from_millis).ok_or_else(|| format!("{text:?} is not a duration: write {example}"))
}

/// Reads a size in bytes: a whole number and `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let example = "a whole number and one of `B`, `KB`, `MB`, `GB`, `KiB`, `MiB`, `GiB`, such as `\"5MB\"`";
    measure(text, &SIZE).ok_or_else(|| format!("{text:?} is not a size: write {example}"))
}

fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_needs_a_unit_and_fits() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(bytes("5MB"), Ok(5_000_000));
        assert_eq!(bytes("1 KiB"), Ok(1024));
        for text in ["", "10", "s", "1.5s", "-1s", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = (duration(&text), bytes(&text));
        }

        #[test]
        fn what_is_written_reads_back(seconds in 0_u64..1_000_000) {
            prop_assert_eq!(duration(&format!("{seconds}s")), Ok(Duration::from_secs(seconds)));
        }
    }
}
