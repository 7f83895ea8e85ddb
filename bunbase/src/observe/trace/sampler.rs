//! Which traces are recorded.

use super::{Parent, TraceId};

/// How it is decided whether a trace is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Traces whose number is below it are recorded.
    below: u64,
    /// Whether a trace that others have begun is recorded exactly when they record it.
    follows: bool,
}

impl Sampler {
    /// Records this share of traces, from 0 to 1. With `follows` it only decides on traces that begin here.
    ///
    /// The number of a trace is the last 63 bits of its id, so that all processes choose the same ones (`TraceIdRatioBased`,
    /// <https://opentelemetry.io/docs/specs/otel/trace/sdk/#traceidratiobased>).
    pub fn new(ratio: f64, follows: bool) -> Self {
        const ALL: u64 = 1 << 63;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "it is between 0 and 2^63"
        )]
        let below = if ratio >= 1.0 { ALL } else { (ratio.max(0.0) * ALL as f64) as u64 };
        Self { below, follows }
    }

    /// Decides on a trace that begins here.
    pub(super) fn takes(&self, trace: TraceId) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "it is its lower half that counts")]
        let low = trace.as_u128() as u64;
        low & (u64::MAX >> 1) < self.below
    }

    /// Decides on a trace that others have begun.
    pub(super) fn takes_on(&self, parent: &Parent) -> bool {
        if self.follows { parent.sampled } else { self.takes(parent.trace) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(low: u64) -> TraceId {
        TraceId::from_bytes((1 << 64 | u128::from(low)).to_be_bytes()).unwrap()
    }

    #[test]
    fn the_ratio_is_a_share_of_the_ids() {
        for ratio in [0.0, 0.01, 0.25, 1.0] {
            let sampler = Sampler::new(ratio, true);
            let taken = (0..20_000).filter(|_| sampler.takes(TraceId::generate())).count();
            #[expect(clippy::cast_precision_loss, reason = "it is small")]
            let share = taken as f64 / 20_000.0;
            assert!((share - ratio).abs() < 0.02, "{ratio}: {share}");
        }
    }

    #[test]
    fn the_last_63_bits_decide_whatever_the_process() {
        let half = Sampler::new(0.5, true);
        for (low, is_taken) in [(0, true), ((1 << 62) - 1, true), (1 << 62, false), (u64::MAX, false), (1 << 63, true)]
        {
            assert_eq!(half.takes(trace(low)), is_taken, "{low:x}");
        }
        assert!(Sampler::new(1.0, true).takes(trace(u64::MAX)));
        assert!(!Sampler::new(0.0, true).takes(trace(0)));
    }

    #[test]
    fn a_parent_decides_where_it_is_followed() {
        let parent = |sampled| Parent { trace: trace(0), span: None, sampled, state: None, is_remote: true };
        let follows = Sampler::new(1.0, true);
        assert!(follows.takes_on(&parent(true)) && !follows.takes_on(&parent(false)));
        let alone = Sampler::new(0.0, false);
        assert!(!alone.takes_on(&parent(true)));
    }
}
