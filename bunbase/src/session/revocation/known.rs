//! What an instance keeps in memory of sessions that were ended.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

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
const FRESH: Duration = Duration::from_secs(5);

/// How often all rows are read again, whatever was read before.
const ALL_EVERY: Duration = Duration::from_mins(10);

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
    looked: Option<Instant>,
    looked_for_all: Option<Instant>,
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
        let is_stale = rows.looked.is_none_or(|looked| looked.elapsed() > FRESH);
        let is_unknown = is_stale || rows.floor.is_some_and(|(floor, _)| is_older(floor));
        drop(rows);
        if is_unknown && !self.was_good(claims) { Verdict::Ask } else { Verdict::Good }
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
        let is_for_all = rows.looked_for_all.is_none_or(|looked| looked.elapsed() > ALL_EVERY);
        rows.last.filter(|_| !is_for_all).map_or(DateTime::UNIX_EPOCH, |last| last - OVERLAP)
    }

    /// Adds what this instance ended itself.
    pub(super) fn add(&self, row: Row) {
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        rows.add(row);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Adds what was read, the last first: all there is since [`since`](Self::since), or more than [`MOST`].
    pub(super) fn take(&self, read: Vec<Row>, began: Instant) {
        let is_all = read.len() <= MOST;
        let mut rows = self.rows.write().unwrap_or_else(PoisonError::into_inner);
        if rows.last.is_none() || rows.looked_for_all.is_none_or(|looked| looked.elapsed() > ALL_EVERY) {
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
