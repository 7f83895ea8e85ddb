//! How long to wait between attempts.

use std::time::Duration;

/// How waits grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backoff {
    /// Always `base`.
    Fixed,
    /// Twice as long each time. The default.
    #[default]
    Exponential,
}

/// Returns the longest wait before the next attempt: `base · 2^(attempt − 1)`, at most `cap`; with [`Backoff::Fixed`] `base`.
///
/// `attempt` is the one that failed and counts from 1. On overflow the answer is `cap`.
/// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
///
/// ```
/// # use {bunbase::queue::backoff::{Backoff, ceiling}, std::time::Duration};
/// let wait = ceiling(Backoff::Exponential, Duration::from_secs(1), Duration::from_secs(30), 3);
/// assert_eq!(wait, Duration::from_secs(4));
/// ```
#[must_use]
pub fn ceiling(backoff: Backoff, base: Duration, cap: Duration, attempt: u32) -> Duration {
    let grown = match backoff {
        Backoff::Fixed => Some(base),
        Backoff::Exponential => {
            2_u32.checked_pow(attempt.saturating_sub(1)).and_then(|factor| base.checked_mul(factor))
        }
    };
    grown.unwrap_or(cap).min(cap)
}

/// Draws the real wait evenly between zero and `ceiling` ("full jitter"), so that what failed together does not come back together.
#[must_use]
pub fn full_jitter(ceiling: Duration) -> Duration {
    let span = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
    // Without a source of randomness all come back together, which is correct and only less kind.
    let random = getrandom::u64().unwrap_or(u64::MAX);
    // The high half of the product is the random number scaled to the span (D. Lemire, 2019).
    let nanos = (u128::from(random) * u128::from(span)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_millis(200);
    const CAP: Duration = Duration::from_secs(30);

    #[test]
    fn waits_double_up_to_the_cap() {
        let waits: Vec<_> =
            (1..=9).map(|attempt| ceiling(Backoff::Exponential, BASE, CAP, attempt).as_millis()).collect();
        assert_eq!(waits, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        assert_eq!(ceiling(Backoff::Exponential, BASE, CAP, u32::MAX), CAP);
        assert_eq!(ceiling(Backoff::Fixed, BASE, CAP, 9), BASE);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_longer_than_the_cap(base in 0_u64..u64::MAX, cap in 0_u64..u64::MAX, attempt: u32) {
            let (base, cap) = (Duration::from_nanos(base), Duration::from_nanos(cap));
            let longest = ceiling(Backoff::Exponential, base, cap, attempt);
            prop_assert!(longest <= cap && full_jitter(longest) <= longest);
        }
    }
}
