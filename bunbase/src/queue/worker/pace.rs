//! How far ahead a lane claims: as many jobs as it will begin within a moment, going by how long they have taken lately.

use std::time::Duration;

/// For how long ahead jobs are claimed. Long enough for a claim to come back before the last one begins, and short enough that
/// they would hardly begin earlier elsewhere.
const AHEAD: Duration = Duration::from_millis(25);

/// How much of the mean one job makes up.
const WEIGHT: f64 = 1.0 / 16.0;

/// The mean time that the jobs of a lane take.
#[derive(Debug, Default)]
pub(super) struct Pace {
    mean_seconds: Option<f64>,
}

impl Pace {
    /// Takes in how long a job took.
    pub(super) fn took(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.mean_seconds = Some(self.mean_seconds.map_or(seconds, |mean| mean + (seconds - mean) * WEIGHT));
    }

    /// Takes in that nothing has ended for so long: the jobs of now take longer than those before.
    pub(super) fn stalled(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.mean_seconds = Some(self.mean_seconds.map_or(seconds, |mean| mean.max(seconds)));
    }

    /// Returns how many jobs to claim ahead of those that run, at most `most`. Nothing is known at first, so nothing is claimed ahead.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rough number, kept within bounds"
    )]
    pub(super) fn ahead(&self, concurrency: usize, most: usize) -> usize {
        let Some(mean) = self.mean_seconds else { return 0 };
        let jobs = concurrency as f64 * AHEAD.as_secs_f64() / mean.max(1e-9);
        jobs.min(most as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_jobs_are_claimed_ahead_and_slow_ones_are_not() {
        let mut pace = Pace::default();
        assert_eq!(pace.ahead(8, 400), 0);
        pace.took(Duration::from_micros(50));
        assert_eq!(pace.ahead(8, 400), 400);
        let mut pace = Pace::default();
        pace.took(Duration::from_millis(10));
        assert_eq!(pace.ahead(8, 400), 20);
        pace.took(Duration::from_mins(1));
        assert_eq!(pace.ahead(8, 400), 0);
    }

    #[test]
    fn jobs_that_became_slow_are_noticed_before_they_end() {
        let mut pace = Pace::default();
        pace.took(Duration::from_micros(50));
        pace.stalled(Duration::from_secs(1));
        assert_eq!(pace.ahead(8, 400), 0);
    }
}
