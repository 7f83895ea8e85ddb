//! Where the due jobs of a queue begin, while it is busy.
//!
//! A job that was taken leaves its entry in the index until the cleaner comes by, which may be a minute. Until then every claim would
//! walk over the entries of everything that was taken since. So a claim begins where the last one ended. What comes in before that, a
//! job that was handed back or one whose transaction took long, is found by looking from the beginning now and then, and
//! whenever there is less than was asked for. The same look sees whether jobs of groups are due, which the claims in between take over.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// How many claims in a row must have brought all that they asked for. Before that the walk is short.
const BUSY: u32 = 16;

/// How often to look from the beginning.
const LOOK_BACK: Duration = Duration::from_millis(50);

/// Before every time that a job has.
pub(super) const BEGINNING: (DateTime<Utc>, Uuid) = (DateTime::<Utc>::UNIX_EPOCH, Uuid::nil());

/// Where to begin in each level, as due time and id.
pub(super) type Places = [(DateTime<Utc>, Uuid); 4];

/// See the module.
#[derive(Default)]
pub(super) struct Heads(Mutex<HashMap<String, Head>>);

struct Head {
    places: Places,
    full_claims: u32,
    looked_back_at: Instant,
    groups_due: bool,
}

/// A queue that is busy and was looked at from the beginning a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy {
    /// Where a claim is to begin.
    pub(super) places: Places,
    /// Whether jobs of groups were due at that look.
    pub(super) groups_due: bool,
}

/// A job that a claim brought: its level, its due time and its id.
pub(super) type Seen = (i16, DateTime<Utc>, Uuid);

impl Heads {
    /// Returns where a claim is to begin; `None` is at the beginning, and to look around.
    pub(super) fn busy(&self, queue: &str) -> Option<Busy> {
        let heads = self.heads();
        let head = heads.get(queue)?;
        let is_busy = head.full_claims >= BUSY && head.looked_back_at.elapsed() < LOOK_BACK;
        is_busy.then_some(Busy { places: head.places, groups_due: head.groups_due })
    }

    /// Takes in what a claim from the beginning at `now` brought: the last job, when there were as many as asked for, and whether jobs of
    /// groups are due.
    pub(super) fn looked(&self, queue: &str, last: Option<Seen>, now: DateTime<Utc>, groups_due: bool) {
        let mut heads = self.heads();
        let Some(last) = last else {
            heads.remove(queue);
            return;
        };
        let head = heads.entry(queue.to_owned()).or_insert_with(|| Head {
            places: [BEGINNING; 4],
            full_claims: 0,
            looked_back_at: Instant::now(),
            groups_due,
        });
        head.looked_back_at = Instant::now();
        head.places = [BEGINNING; 4];
        head.groups_due = groups_due;
        head.advance(last, now);
    }

    /// Takes in what a claim from a place on brought: the last job and the time, when there were as many as asked for.
    pub(super) fn went_on(&self, queue: &str, last: Option<(Seen, DateTime<Utc>)>) {
        let mut heads = self.heads();
        match (last, heads.get_mut(queue)) {
            (Some((last, now)), Some(head)) => head.advance(last, now),
            (Some(_), None) => {}
            (None, _) => {
                heads.remove(queue);
            }
        }
    }

    fn heads(&self) -> MutexGuard<'_, HashMap<String, Head>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Head {
    fn advance(&mut self, (level, run_at, id): Seen, now: DateTime<Utc>) {
        self.full_claims = self.full_claims.saturating_add(1);
        for (own, place) in (0..).zip(&mut self.places) {
            match level.cmp(&own) {
                // More urgent than the last one: there was no more of them.
                std::cmp::Ordering::Less => *place = (now, Uuid::nil()),
                std::cmp::Ordering::Equal => *place = (run_at, id),
                std::cmp::Ordering::Greater => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_busy_queue_is_read_from_where_the_last_claim_ended() {
        let (heads, id) = (Heads::default(), Uuid::now_v7());
        for _ in 0..BUSY {
            assert_eq!(heads.busy("mail"), None);
            heads.looked("mail", Some((1, at(10), id)), at(20), true);
        }
        let places = [BEGINNING, (at(10), id), (at(20), Uuid::nil()), (at(20), Uuid::nil())];
        assert_eq!(heads.busy("mail"), Some(Busy { places, groups_due: true }));
        assert_eq!(heads.busy("other"), None);
        heads.went_on("mail", Some(((2, at(21), id), at(30))));
        let places = [BEGINNING, (at(10), id), (at(21), id), (at(30), Uuid::nil())];
        assert_eq!(heads.busy("mail"), Some(Busy { places, groups_due: true }));
        heads.went_on("mail", None);
        assert_eq!(heads.busy("mail"), None);
    }
}
