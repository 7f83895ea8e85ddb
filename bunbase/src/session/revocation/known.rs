//! What an instance keeps in memory of sessions that were ended.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, RwLock},
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Subject, User, rows::Row};
use crate::{
    clock::Clock,
    session::{SessionId, token::Claims},
};

/// How many rows are kept, about 10 MB; beyond, older tokens are asked about.
pub(super) const MOST: usize = 100_000;

/// How far a look goes back behind the last: a row is read by others later than the time that it bears.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

/// How old what is known may be: that long after a sign-out it is seen everywhere. Whoever could not look for longer asks.
const FRESH: TimeDelta = TimeDelta::seconds(5);

/// How often all rows are read again, whatever was read before.
const ALL_EVERY: TimeDelta = TimeDelta::minutes(10);

/// How long an answer of the database is remembered.
const REMEMBERED_MS: i64 = 2000;

/// How many answers of the database are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// What is known of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Ended,
    /// Nothing: the database knows.
    Ask,
}

/// Sessions that were ended, and epochs of users.
#[derive(Debug)]
pub(super) struct Known {
    clock: Clock,
    rows: RwLock<Rows>,
    /// Tokens that the database was asked about, with when, in milliseconds since 1970.
    answers: Mutex<HashMap<(SessionId, i64), i64>>,
}

#[derive(Debug, Default)]
struct Rows {
    sessions: HashMap<SessionId, When>,
    users: HashMap<String, (i64, When)>,
    /// Those of tenants.
    members: HashMap<String, HashMap<String, (i64, When)>>,
    /// When the last look that succeeded began, and the last one for all rows.
    looked: Option<DateTime<Utc>>,
    looked_for_all: Option<DateTime<Utc>>,
    /// The time of the last row that was read; `None` before the first look.
    last: Option<DateTime<Utc>>,
    /// What was ended before is not all here; until when that matters.
    floor: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

#[derive(Clone, Copy, Debug)]
struct When {
    revoked_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Known {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, rows: RwLock::default(), answers: Mutex::default() }
    }

    pub(super) fn verdict(&self, claims: &Claims) -> Verdict {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let is_raised = |(epoch, _): &(i64, When)| *epoch > claims.epoch;
        let user = match &claims.tenant {
            None => rows.users.get(&claims.user),
            Some(tenant) => rows.members.get(tenant).and_then(|members| members.get(&claims.user)),
        };
        if rows.sessions.contains_key(&claims.session) || user.is_some_and(is_raised) {
            return Verdict::Ended;
        }
        // What was issued after all that is not here has not been ended by it; an instance that did not know yet may have renewed it
        // for some seconds.
        let is_older = |floor: DateTime<Utc>| claims.issued_at <= (floor + OVERLAP).timestamp_millis();
        let is_stale = self.is_over(rows.looked, FRESH);
        let is_unknown = is_stale || rows.floor.is_some_and(|(floor, _)| is_older(floor));
        drop(rows);
        if is_unknown && !self.was_good(claims) { Verdict::Ask } else { Verdict::Good }
    }

    /// Returns whether something was longer ago than this, or never.
    fn is_over(&self, at: Option<DateTime<Utc>>, span: TimeDelta) -> bool {
        at.is_none_or(|at| (self.clock.now() - at).abs() > span)
    }

    fn was_good(&self, claims: &Claims) -> bool {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = answers.get(&(claims.session, claims.epoch));
        asked.is_some_and(|asked| (self.clock.now().timestamp_millis() - asked).abs() < REMEMBERED_MS)
    }

    /// Remembers what the database answered.
    pub(super) fn heard(&self, claims: &Claims, has_ended: bool) {
        let now = self.clock.now().timestamp_millis();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MOST_REMEMBERED {
            answers.retain(|_, asked| (now - *asked).abs() < REMEMBERED_MS);
        }
        if !has_ended && answers.len() < MOST_REMEMBERED {
            answers.insert((claims.session, claims.epoch), now);
        }
    }

    /// Returns since when rows are to be read.
    pub(super) fn since(&self) -> DateTime<Utc> {
        let rows = self.rows.read().unwrap_or_else(PoisonError::into_inner);
        let is_for_all = self.is_over(rows.looked_for_all, ALL_EVERY);
        rows.last.filter(|_| !is_for_all).map_or(DateTime::UNIX_EPOCH, |last| last - OVERLAP)
    }

    /// Adds what this instance ended itself.
    pub(super) fn add(&self, row: Row) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        rows.add(row);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Adds what was read, the last first: all there is since [`since`](Self::since), or more than [`MOST`].
    pub(super) fn take(&self, read: Vec<Row>, began: DateTime<Utc>) {
        let is_all = read.len() <= MOST;
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        if self.is_over(rows.looked_for_all, ALL_EVERY) {
            rows.looked_for_all = Some(began);
        }
        rows.looked = Some(began);
        let now = self.clock.now();
        rows.last = Some(read.first().map(|row| row.revoked_at).max(rows.last).unwrap_or(DateTime::UNIX_EPOCH));
        if !is_all && let Some(oldest) = read.last() {
            // None of what is older can last longer than what was just ended.
            let until = read.iter().map(|row| row.expires_at).max().unwrap_or(now);
            rows.raise(oldest.revoked_at, until);
        }
        for row in read {
            rows.add(row);
        }
        rows.bound(now);
    }
}

impl Rows {
    fn add(&mut self, row: Row) {
        let when = When { revoked_at: row.revoked_at, expires_at: row.expires_at };
        match row.subject {
            Subject::Session(id) => {
                self.sessions.insert(id, when);
            }
            Subject::User(User { tenant, id }) => {
                let users = match tenant {
                    None => &mut self.users,
                    Some(tenant) => self.members.entry(tenant).or_default(),
                };
                let known = users.entry(id).or_insert((row.epoch, when));
                if known.0 < row.epoch {
                    *known = (row.epoch, when);
                }
            }
        }
    }

    fn raise(&mut self, floor: DateTime<Utc>, until: DateTime<Utc>) {
        let (known, known_until) = self.floor.unwrap_or((floor, until));
        self.floor = Some((known.max(floor), known_until.max(until)));
    }

    /// Forgets what matters no more, and the oldest of what is too much.
    fn bound(&mut self, now: DateTime<Utc>) {
        self.floor = self.floor.filter(|(_, until)| *until > now);
        let members: usize = self.members.values().map(HashMap::len).sum();
        if self.sessions.len() + self.users.len() + members <= MOST {
            return;
        }
        self.keep(|when| when.expires_at > now);
        let of_users = self.users.values().chain(self.members.values().flat_map(HashMap::values)).map(|(_, when)| when);
        let all: Vec<When> = self.sessions.values().chain(of_users).copied().collect();
        let mut times: Vec<_> = all.iter().map(|when| when.revoked_at).collect();
        let Some(surplus) = times.len().checked_sub(MOST).filter(|surplus| *surplus > 0) else { return };
        // Some more than needed, so that this does not happen with every row.
        let last = (surplus + MOST / 10).min(times.len() - 1);
        let floor = *times.select_nth_unstable(last).1;
        let until = all.iter().map(|when| when.expires_at).max().unwrap_or(now);
        self.keep(|when| when.revoked_at > floor);
        self.raise(floor, until);
    }

    fn keep(&mut self, is_kept: impl Fn(&When) -> bool) {
        self.sessions.retain(|_, when| is_kept(when));
        self.users.retain(|_, (_, when)| is_kept(when));
        self.members.retain(|_, members| {
            members.retain(|_, (_, when)| is_kept(when));
            !members.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SessionId;

    const BEGAN_MS: i64 = 1_700_000_000_000;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(BEGAN_MS + seconds * 1000).unwrap()
    }

    /// The row of a session that was ended at some second, as every number of them has one.
    fn row(number: u128, second: i64, expires_at: DateTime<Utc>) -> Row {
        let subject = Subject::Session(SessionId(uuid::Uuid::from_u128(number)));
        Row { subject, epoch: 1, revoked_at: at(second), expires_at }
    }

    fn claims(number: u128, issued_second: i64) -> Claims {
        let issued_at = at(issued_second).timestamp_millis();
        Claims {
            session: SessionId(uuid::Uuid::from_u128(number)),
            signed_in_at: issued_at,
            authenticated_at: issued_at,
            issued_at,
            expires_at: issued_at + 1,
            ..Claims::of("ann")
        }
    }

    #[test]
    fn of_too_many_the_newest_are_kept_and_older_tokens_are_asked_about() {
        let clock = Clock::system();
        let known = Known::new(clock.clone());
        assert_eq!(known.verdict(&claims(1, 0)), Verdict::Ask, "nothing is known");
        let lasts = clock.now() + TimeDelta::hours(1);
        let most = i64::try_from(MOST).unwrap();
        // The last first, as they are read, and one more than there is room for.
        let rows = (0..=most).rev().map(|second| row(second.unsigned_abs().into(), second, lasts)).collect();
        known.take(rows, clock.now());
        assert_eq!(known.verdict(&claims(MOST as u128, 0)), Verdict::Ended, "it is among the newest");
        assert_eq!(known.verdict(&claims(u128::MAX, 0)), Verdict::Ask, "it may have been ended before");
        assert_eq!(known.verdict(&claims(u128::MAX, most)), Verdict::Good, "it was issued after all that is not here");
        known.heard(&claims(u128::MAX, 0), false);
        assert_eq!(known.verdict(&claims(u128::MAX, 0)), Verdict::Good, "the database has just been asked");
        let kept = known.rows.read().unwrap().sessions.len();
        assert!(kept <= MOST, "{kept}");
        // When what was left out matters no more, nothing has to be asked.
        clock.advance(std::time::Duration::from_hours(2));
        known.take(Vec::new(), clock.now());
        assert_eq!(known.verdict(&claims(u128::MAX - 1, 0)), Verdict::Good);
    }

    #[test]
    fn a_user_is_signed_out_up_to_an_epoch() {
        let clock = Clock::system();
        let known = Known::new(clock.clone());
        known.take(Vec::new(), clock.now());
        let of = |tenant: Option<&str>, epoch| Row {
            subject: Subject::User(User { tenant: tenant.map(str::to_owned), id: "ann".to_owned() }),
            epoch,
            revoked_at: at(0),
            expires_at: clock.now() + TimeDelta::hours(1),
        };
        known.add(of(None, 7));
        // One that comes late changes nothing.
        known.add(of(None, 3));
        let with = |epoch, tenant: Option<&str>| Claims { epoch, tenant: tenant.map(str::to_owned), ..claims(1, 0) };
        assert_eq!(known.verdict(&with(6, None)), Verdict::Ended);
        assert_eq!(known.verdict(&with(7, None)), Verdict::Good);
        assert_eq!(known.verdict(&with(6, Some("acme"))), Verdict::Good);
        known.add(of(Some("acme"), 9));
        assert_eq!(known.verdict(&with(8, Some("acme"))), Verdict::Ended);
        assert_eq!(known.verdict(&with(8, Some("globex"))), Verdict::Good);
    }
}
