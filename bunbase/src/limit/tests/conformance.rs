//! What every backend does alike.

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;

use super::places::{Place, each, key};
use crate::limit::{
    Algorithm, Limits, Rule,
    rule::{COUNTERS, State},
};

/// So long that a test is over before a part of it is.
const PERIOD: Duration = Duration::from_hours(16 * 24);

fn window(limit: u32) -> Rule {
    Rule::new(limit, PERIOD, Algorithm::Window).unwrap()
}

fn bucket(limit: u32, capacity: u32) -> Rule {
    Rule::new(limit, PERIOD, Algorithm::Bucket { capacity }).unwrap()
}

/// Numbers that look random, and are the same in each run (D. Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// Moves the time to the middle of a part of the window.
fn to_the_middle(place: &Place, rule: &Rule) -> i64 {
    let part_ms = i64::try_from(rule.part_ms()).unwrap();
    let now_ms = place.clock.now().timestamp_millis();
    let middle_ms = (now_ms / part_ms + 1) * part_ms + part_ms / 2;
    place.clock.advance(Duration::from_millis((middle_ms - now_ms).unsigned_abs()));
    middle_ms
}

#[tokio::test]
async fn a_limit_of_n_lets_exactly_n_of_many_concurrent_calls_through() {
    for place in each().await {
        for rule in [window(50), bucket(50, 50)] {
            let key = key();
            let mut instances = Vec::new();
            for _ in 0..4 {
                instances.push(place.another().await);
            }
            let calls = (0..200).map(|i| {
                let (store, key) = (instances[i % 4].clone(), key.clone());
                tokio::spawn(async move { store.take(key, rule).await.unwrap() })
            });
            let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
            let allowed = answers.iter().filter(|taken| taken.is_allowed).count();
            assert_eq!(allowed, 50, "{} {rule:?}", place.name);
            let refused = answers.iter().filter(|taken| !taken.is_allowed);
            for taken in refused {
                assert!(taken.remaining == 0 && !taken.more_in.is_zero(), "{} {taken:?}", place.name);
            }
        }
    }
}

#[tokio::test]
async fn whoever_counts_decides_as_the_rule_does() {
    for place in each().await {
        for seed in 0..4 {
            let mut random = Random(seed);
            let rule = if seed % 2 == 0 { window(5) } else { bucket(6, 4) };
            let mut now_ms = to_the_middle(&place, &rule);
            let part = Duration::from_millis(rule.part_ms());
            let (keys, mut states) = ([key(), key()], HashMap::<usize, State>::new());
            for step in 0..60 {
                let parts = [0, 0, 0, 1, 2, 5, 20][random.below(7)];
                place.clock.advance(part * parts);
                now_ms += i64::try_from((part * parts).as_millis()).unwrap();
                let which = random.below(2);
                let taken = place.store.take(keys[which].clone(), rule).await.unwrap();
                let mut state = rule.at(states.remove(&which), now_ms);
                let is_allowed = rule.take(&mut state);
                let expected = rule.taken(is_allowed, &state, now_ms);
                let said = (taken.is_allowed, taken.remaining);
                assert_eq!(said, (expected.is_allowed, expected.remaining), "{} seed {seed} step {step}", place.name);
                // The time has gone on a little meanwhile.
                let late = expected.more_in.saturating_sub(taken.more_in);
                assert!(late < Duration::from_mins(5), "{} seed {seed} step {step}: {late:?}", place.name);
                states.insert(which, state);
            }
        }
    }
}

#[tokio::test]
async fn what_was_used_comes_back_when_it_was_said_to() {
    for place in each().await {
        for rule in [window(2), bucket(2, 2)] {
            let key = key();
            to_the_middle(&place, &rule);
            for _ in 0..2 {
                assert!(place.store.take(key.clone(), rule).await.unwrap().is_allowed, "{}", place.name);
            }
            let refused = place.store.take(key.clone(), rule).await.unwrap();
            assert!(!refused.is_allowed, "{}", place.name);
            place.clock.advance(refused.more_in.saturating_sub(Duration::from_mins(1)));
            assert!(!place.store.take(key.clone(), rule).await.unwrap().is_allowed, "{}", place.name);
            place.clock.advance(Duration::from_mins(1));
            assert!(place.store.take(key, rule).await.unwrap().is_allowed, "{}", place.name);
        }
    }
}

#[tokio::test]
async fn a_key_takes_the_same_room_however_often_it_comes_and_none_once_it_is_over() {
    for place in each().await {
        let rule = window(1000);
        let key = key();
        for _ in 0..300 {
            let taken = place.store.take(key.clone(), rule).await.unwrap();
            assert!(taken.is_allowed, "{}", place.name);
        }
        let mut state = State { at: i64::MAX, counts: vec![0; COUNTERS] };
        state.counts[0] = 1000;
        assert!(state.write().len() < 100);
        if place.name == "redis" {
            continue;
        }
        assert_eq!(place.store.sweep(10).await.unwrap(), 0, "{}", place.name);
        place.clock.advance(PERIOD * 2);
        assert_eq!(place.store.sweep(10).await.unwrap(), 1, "{}", place.name);
    }
}

#[tokio::test]
async fn keys_and_rules_count_apart_and_long_keys_too() {
    for place in each().await {
        let limits = Limits::new(place.store.clone(), place.clock.clone());
        let long = format!("{}{}", "x".repeat(10_000), key());
        for key in [key(), key(), long.clone(), format!("{long}y")] {
            for rule in [window(1), bucket(1, 1), window(2)] {
                assert!(limits.take(&key, rule).await.unwrap().is_allowed, "{}", place.name);
            }
            assert!(!limits.take(&key, window(1)).await.unwrap().is_allowed, "{}", place.name);
            assert!(limits.take(&key, window(2)).await.unwrap().is_allowed, "{}", place.name);
        }
    }
}

#[tokio::test]
async fn who_was_refused_is_not_asked_about_until_it_can_be_let_through() {
    for place in each().await {
        let limits = Limits::new(place.store.clone(), place.clock.clone());
        let (rule, key) = (window(1), key());
        to_the_middle(&place, &rule);
        assert!(limits.take(&key, rule).await.unwrap().is_allowed);
        let refused = limits.take(&key, rule).await.unwrap();
        let again = limits.take(&key, rule).await.unwrap();
        assert!(!again.is_allowed && again.more_in <= refused.more_in, "{}", place.name);
        place.clock.advance(refused.more_in);
        assert!(limits.take(&key, rule).await.unwrap().is_allowed, "{}", place.name);
    }
}
