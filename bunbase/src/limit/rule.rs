//! What is let through: the rule, and the state of a key under it. Pure: the stores keep the state and tell the time.

use std::time::Duration;

/// How many parts a window is counted in.
const PARTS: usize = 16;

/// How many counters a key has: the window's parts, and the one that is passing out of it.
pub(super) const COUNTERS: usize = PARTS + 1;

/// The least period, in milliseconds.
const LEAST_MS: u64 = 100;

/// The longest period, in milliseconds: a leap year.
const MOST_MS: u64 = 366 * 24 * 3600 * 1000;

/// The most units of a bucket: what a number of Lua holds exactly.
const MOST_UNITS: u64 = 1 << 53;

/// How calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// A sliding window: in no span of the period, wherever it begins, are more than the limit let through.
    ///
    /// The window is counted in 16 parts, and a part counts as long as any of it is in the window. So what was used comes back at most
    /// a sixteenth of the period later than it could, and never earlier.
    Window,
    /// A token bucket that holds so many tokens and is filled at the rate of the limit; each call takes one token.
    ///
    /// Source: RFC 2697 section 3, with one bucket.
    Bucket {
        /// How many calls may come at once.
        capacity: u32,
    },
}

/// So many calls in so long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    limit: u32,
    period_ms: u64,
    algorithm: Algorithm,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether it is let through.
    pub is_allowed: bool,
    /// How many more would be, now.
    pub remaining: u32,
    /// How long until there are more than `remaining`; for a call that is refused, the least time until it can be let through.
    pub more_in: Duration,
}

/// What is known of a key: a time, and what was counted. For a window the number of its newest part and the counts of its parts,
/// the newest first; for a bucket the time in milliseconds and the units that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) at: i64,
    pub(super) counts: Vec<u64>,
}

impl Rule {
    /// Makes a rule.
    ///
    /// # Errors
    /// A text that completes "`rate_limit` …": when the limit or the capacity is zero, or the period is below 100 ms or above 366 days.
    pub fn new(limit: u32, period: Duration, algorithm: Algorithm) -> Result<Self, String> {
        if limit == 0 {
            return Err("lets nobody through; write at least 1".to_owned());
        }
        let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        if !(LEAST_MS..=MOST_MS).contains(&period_ms) {
            return Err(format!("has a period of {period:?}; it is from 100 ms to 366 days"));
        }
        let rule = Self { limit, period_ms, algorithm };
        if let Algorithm::Bucket { capacity } = algorithm {
            if capacity == 0 {
                return Err("has a bucket that holds nothing; write a burst of at least 1".to_owned());
            }
            if rule.room(capacity) > MOST_UNITS {
                return Err("has a burst that is too large for so long a period".to_owned());
            }
        }
        Ok(rule)
    }

    /// Returns how many calls are let through in the period.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Returns the period.
    pub fn period(&self) -> Duration {
        Duration::from_millis(self.period_ms)
    }

    /// Returns how calls are counted.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns a text that no other rule has: rules that differ never count in one place.
    pub fn id(&self) -> String {
        match self.algorithm {
            Algorithm::Window => format!("w{}/{}", self.limit, self.period_ms),
            Algorithm::Bucket { capacity } => format!("b{}/{}/{capacity}", self.limit, self.period_ms),
        }
    }

    /// Returns how long one part of the window is, in milliseconds.
    pub(super) fn part_ms(&self) -> u64 {
        self.period_ms.div_ceil(PARTS as u64)
    }

    /// Returns the units of a token: in a millisecond as many units come back as the limit says, so that no rate has a fraction.
    pub(super) fn token(&self) -> u64 {
        self.period_ms
    }

    /// Returns the units of a bucket.
    pub(super) fn room(&self, capacity: u32) -> u64 {
        u64::from(capacity).saturating_mul(self.period_ms)
    }

    /// Returns how long a state says anything after its last call.
    pub(super) fn kept(&self) -> Duration {
        Duration::from_millis(match self.algorithm {
            Algorithm::Window => self.part_ms() * COUNTERS as u64,
            Algorithm::Bucket { capacity } => self.room(capacity).div_ceil(u64::from(self.limit)),
        })
    }

    /// Returns the state at a time, in milliseconds since 1970. A time that is before the last one counts as that.
    pub(super) fn at(&self, state: Option<State>, now_ms: i64) -> State {
        match self.algorithm {
            Algorithm::Window => {
                let part = now_ms.div_euclid(i64::try_from(self.part_ms()).unwrap_or(i64::MAX));
                let Some(mut state) = state.filter(|state| state.counts.len() == COUNTERS) else {
                    return State { at: part, counts: vec![0; COUNTERS] };
                };
                let passed = usize::try_from(part.saturating_sub(state.at)).unwrap_or(0).min(COUNTERS);
                state.counts.rotate_right(passed);
                state.counts[..passed].fill(0);
                state.at = state.at.max(part);
                state
            }
            Algorithm::Bucket { .. } => {
                let Some(state) = state.filter(|state| state.counts.len() == 1) else {
                    return State { at: now_ms, counts: vec![0] };
                };
                let passed = u64::try_from(now_ms.saturating_sub(state.at)).unwrap_or(0);
                let missing = state.counts[0].saturating_sub(passed.saturating_mul(u64::from(self.limit)));
                State { at: state.at.max(now_ms), counts: vec![missing] }
            }
        }
    }

    /// Counts a call, if it is let through. Answers whether it is.
    pub(super) fn take(&self, state: &mut State) -> bool {
        let is_allowed = self.remaining(state) > 0;
        if is_allowed {
            // There is room for it.
            state.counts[0] += match self.algorithm {
                Algorithm::Window => 1,
                Algorithm::Bucket { .. } => self.token(),
            };
        }
        is_allowed
    }

    /// Says what became of a call that left this state.
    pub(super) fn taken(&self, is_allowed: bool, state: &State, now_ms: i64) -> Taken {
        // Who was refused may see the state as it was before those that filled it.
        let remaining = if is_allowed { self.remaining(state) } else { 0 };
        let more_in_ms = self.more_in_ms(state, remaining, now_ms).max(u64::from(!is_allowed));
        Taken { is_allowed, remaining, more_in: Duration::from_millis(more_in_ms) }
    }

    fn remaining(&self, state: &State) -> u32 {
        let used = state.counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        let left = match self.algorithm {
            Algorithm::Window => u64::from(self.limit).saturating_sub(used),
            Algorithm::Bucket { capacity } => self.room(capacity).saturating_sub(used) / self.token(),
        };
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    fn more_in_ms(&self, state: &State, remaining: u32, now_ms: i64) -> u64 {
        match self.algorithm {
            Algorithm::Window => {
                let Some(oldest) = state.counts.iter().rposition(|count| *count > 0) else { return 0 };
                let parts = i64::try_from(COUNTERS - oldest).unwrap_or(0);
                let part_ms = i64::try_from(self.part_ms()).unwrap_or(i64::MAX);
                let leaves_ms = state.at.saturating_add(parts).saturating_mul(part_ms);
                u64::try_from(leaves_ms.saturating_sub(now_ms)).unwrap_or(0)
            }
            Algorithm::Bucket { capacity } => {
                // With one token more than there are, so many units would be missing.
                let wanted = self.room(capacity.saturating_sub(remaining.saturating_add(1)));
                state.counts[0].saturating_sub(wanted).div_ceil(u64::from(self.limit))
            }
        }
    }
}

impl State {
    /// Writes it as text: the time, and the counts.
    pub(super) fn write(&self) -> String {
        let counts: Vec<String> = self.counts.iter().map(u64::to_string).collect();
        format!("{}:{}", self.at, counts.join(","))
    }

    /// Reads it; `None` when the text is none.
    #[cfg(any(feature = "redis", test))]
    pub(super) fn read(text: &str) -> Option<Self> {
        let (at, counts) = text.split_once(':')?;
        Some(Self { at: at.parse().ok()?, counts: Self::counts(counts)? })
    }

    /// Reads the counts alone.
    pub(super) fn counts(text: &str) -> Option<Vec<u64>> {
        text.split(',').map(|count| count.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(limit: u32, period_ms: u64, algorithm: Algorithm) -> Rule {
        Rule::new(limit, Duration::from_millis(period_ms), algorithm).unwrap()
    }

    /// Runs calls at these times and returns when each was let through, and what was said.
    fn run(rule: &Rule, times: &[i64]) -> Vec<(i64, Taken)> {
        let mut state = None;
        let each = times.iter().map(|now| {
            let mut current = rule.at(state.take(), *now);
            let is_allowed = rule.take(&mut current);
            let taken = rule.taken(is_allowed, &current, *now);
            state = Some(current);
            (*now, taken)
        });
        each.collect()
    }

    fn times() -> impl Strategy<Value = Vec<i64>> {
        prop::collection::vec(0_i64..700, 1..200).prop_map(|steps| {
            let mut now = 1_700_000_000_000;
            steps
                .into_iter()
                .map(|step| {
                    now += step;
                    now
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn no_window_has_more_than_the_limit(limit in 1_u32..20, period in 100_i64..5000, times in times()) {
            let rule = rule(limit, period.unsigned_abs(), Algorithm::Window);
            let allowed: Vec<i64> = run(&rule, &times).iter().filter(|(_, taken)| taken.is_allowed).map(|(at, _)| *at).collect();
            for (index, end) in allowed.iter().enumerate() {
                let inside = allowed[..=index].iter().filter(|at| **at > end - period).count();
                prop_assert!(inside <= limit as usize);
            }
        }

        #[test]
        fn a_bucket_lets_through_its_capacity_and_its_rate(
            limit in 1_u32..20, capacity in 1_u32..20, period in 100_i64..5000, times in times(),
        ) {
            let rule = rule(limit, period.unsigned_abs(), Algorithm::Bucket { capacity });
            let allowed: Vec<i64> = run(&rule, &times).iter().filter(|(_, taken)| taken.is_allowed).map(|(at, _)| *at).collect();
            for first in 0..allowed.len() {
                for last in first..allowed.len() {
                    let passed = allowed[last] - allowed[first];
                    let most = i64::from(capacity) + passed * i64::from(limit) / period;
                    prop_assert!(i64::try_from(last - first + 1).unwrap() <= most);
                }
            }
        }

        #[test]
        fn who_comes_when_it_was_told_to_is_let_through_and_not_before(
            limit in 1_u32..20, capacity in 1_u32..20, is_window: bool, period in 100_u64..5000, times in times(),
        ) {
            let algorithm = if is_window { Algorithm::Window } else { Algorithm::Bucket { capacity } };
            let rule = rule(limit, period, algorithm);
            let mut state = None;
            for now in times {
                let mut current = rule.at(state.take(), now);
                if !rule.take(&mut current) {
                    let wait = i64::try_from(rule.taken(false, &current, now).more_in.as_millis()).unwrap();
                    prop_assert!(wait > 0);
                    let before = rule.at(Some(current.clone()), now + wait - 1);
                    prop_assert_eq!(rule.remaining(&before), 0);
                    let then = rule.at(Some(current.clone()), now + wait);
                    prop_assert!(rule.remaining(&then) > 0);
                }
                state = Some(current);
            }
        }

        #[test]
        fn what_is_written_is_read(at: i64, counts in prop::collection::vec(any::<u64>(), 1..20)) {
            let state = State { at, counts };
            prop_assert_eq!(State::read(&state.write()), Some(state));
        }

        #[test]
        fn no_state_makes_a_rule_panic(
            text: String, at: i64, counts in prop::collection::vec(0..u64::from(u32::MAX), 0..20), now in 0..i64::MAX / 2, is_window: bool,
        ) {
            let algorithm = if is_window { Algorithm::Window } else { Algorithm::Bucket { capacity: 3 } };
            let rule = rule(3, 1000, algorithm);
            let _ = State::read(&text);
            let mut state = rule.at(Some(State { at, counts }), now);
            let is_allowed = rule.take(&mut state);
            let _ = rule.taken(is_allowed, &state, now);
        }
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_refused() {
        let hour = Duration::from_hours(1);
        assert!(Rule::new(0, hour, Algorithm::Window).is_err());
        assert!(Rule::new(1, Duration::ZERO, Algorithm::Window).is_err());
        assert!(Rule::new(1, Duration::from_hours(24 * 400), Algorithm::Window).is_err());
        assert!(Rule::new(1, hour, Algorithm::Bucket { capacity: 0 }).is_err());
        assert!(Rule::new(1, Duration::from_hours(24 * 366), Algorithm::Bucket { capacity: u32::MAX }).is_err());
        assert!(Rule::new(u32::MAX, hour, Algorithm::Bucket { capacity: 1000 }).is_ok());
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let rule = rule(2, 16_000, Algorithm::Window);
        let said: Vec<_> = run(&rule, &[0, 500, 900, 16_999, 17_000]).into_iter().map(|(_, taken)| taken).collect();
        let ms = |more_in| Duration::from_millis(more_in);
        assert_eq!(said[0], Taken { is_allowed: true, remaining: 1, more_in: ms(17_000) });
        assert_eq!(said[2], Taken { is_allowed: false, remaining: 0, more_in: ms(16_100) });
        assert_eq!(said[3], Taken { is_allowed: false, remaining: 0, more_in: ms(1) });
        assert_eq!(said[4], Taken { is_allowed: true, remaining: 1, more_in: ms(17_000) });
    }
}
