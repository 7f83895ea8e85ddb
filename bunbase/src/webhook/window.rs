//! The replay window: how far a signed time may be from now.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Refusal;

/// How far from now, either way, unless a scheme says otherwise. All senders that have a preset recommend it.
pub(super) const TOLERANCE: Duration = Duration::from_mins(5);

/// Refuses a time, in seconds since 1970 as the sender wrote it, that is too far from now.
pub(super) fn check(seconds: &str, now: DateTime<Utc>, tolerance: Duration) -> Result<(), Refusal> {
    // Rust's parser takes a sign too, which no sender writes.
    if !seconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Malformed);
    }
    let time = seconds.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let age = now - time.ok_or(Refusal::Malformed)?;
    let tolerance = TimeDelta::from_std(tolerance).unwrap_or(TimeDelta::MAX);
    if age > tolerance {
        Err(Refusal::TooOld)
    } else if -age > tolerance {
        Err(Refusal::TooNew)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(now: i64, seconds: &str) -> Result<(), Refusal> {
        check(seconds, DateTime::from_timestamp(now, 0).unwrap(), TOLERANCE)
    }

    #[test]
    fn the_window_reaches_as_far_into_the_future_as_into_the_past() {
        assert_eq!(at(1000, "700"), Ok(()));
        assert_eq!(at(1000, "699"), Err(Refusal::TooOld));
        assert_eq!(at(1000, "1300"), Ok(()));
        assert_eq!(at(1000, "1301"), Err(Refusal::TooNew));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "-700", "+1000", " 1000", "1000 ", "1e3", "99999999999999999999", "9223372036854775807"] {
            assert_eq!(at(1000, text), Err(Refusal::Malformed), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9+-]{0,22}|\\PC{0,12}", seconds: u64) {
            let _ = check(&text, DateTime::<Utc>::MAX_UTC, Duration::from_secs(seconds));
            let _ = check(&text, DateTime::<Utc>::MIN_UTC, Duration::from_secs(seconds));
        }
    }
}
