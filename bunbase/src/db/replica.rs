//! Copies of a Postgres database that only answer reads: which of them are fit, and what may go there.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::{DbBackend, DbErr, Statement};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Ask, Position, Settings,
    kept::{Connections, Kept},
    pool::open_replica,
    scan,
    watch::{Run, Watch},
};
use crate::Result;

/// How often each is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// No lag is known.
const UNKNOWN: u64 = u64::MAX;

/// How far it is behind, in microseconds, and the position that it has come to. Nothing is missing when all that it received is replayed,
/// however long ago that was; a server that is no standby has nothing to replay, and is at no position of the primary's.
const LAG: &str = "SELECT CASE
        WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
        ELSE COALESCE((EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000000)::bigint, 0)
    END AS lag_us,
    CASE WHEN pg_is_in_recovery() THEN (pg_last_wal_replay_lsn() - '0/0')::bigint END AS replayed";

/// The replicas of one database. Looking after them ends with it.
pub(super) struct Replicas {
    all: Arc<[Replica]>,
    turn: AtomicUsize,
    writing_functions: Vec<String>,
    _stop: DropGuard,
}

struct Replica {
    connection: Arc<Kept>,
    /// Its address, without a password.
    name: String,
    is_well: AtomicBool,
    /// How far it was behind when it was looked at last, in microseconds; [`UNKNOWN`] before that.
    lag_us: AtomicU64,
    /// The [`Position`] that it had come to by then; 0 where that is not known.
    replayed: AtomicU64,
}

/// How a replica is, as the last look found it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaState {
    /// Its address, without a password.
    pub name: String,
    /// Whether it takes reads: it answers, and is not too far behind.
    pub is_well: bool,
    /// How far it was behind when it answered last; `None` before that.
    pub lag: Option<Duration>,
}

impl Replicas {
    /// Opens the replicas of the settings, if there are any. None takes reads before it was looked at.
    ///
    /// # Errors
    /// 500 `database_open` for an address that is none.
    pub(super) async fn open(settings: &Settings, watch: &Arc<Watch>) -> Result<Option<Self>> {
        if settings.replicas.is_empty() {
            return Ok(None);
        }
        let mut all = Vec::new();
        for url in &settings.replicas {
            // Addresses of servers: a session that refuses writes is not PgBouncer's to give.
            let settings = Settings { url: url.clone(), direct_url: None, pgbouncer: Some(false), ..settings.clone() };
            let connection = open_replica(&settings, watch).await?;
            all.push(Replica {
                connection,
                name: settings.url_for_display(),
                is_well: AtomicBool::new(false),
                lag_us: AtomicU64::new(UNKNOWN),
                replayed: AtomicU64::new(0),
            });
        }
        let all: Arc<[Replica]> = all.into();
        let stop = CancellationToken::new();
        for index in 0..all.len() {
            let looking = look_after(all.clone(), index, settings.max_lag);
            tokio::spawn(stop.clone().run_until_cancelled_owned(looking));
        }
        let writing_functions = settings.writing_functions.iter().map(|name| name.to_lowercase()).collect();
        Ok(Some(Self { all, turn: AtomicUsize::new(0), writing_functions, _stop: stop.drop_guard() }))
    }

    /// Returns the replica whose turn it is to answer a statement; `None` when it does not plainly read, or none is well and has come so
    /// far.
    fn for_statement(&self, sql: &str, after: Option<Position>) -> Option<&Replica> {
        if !scan::reads_on_replica(sql, &self.writing_functions) {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.all.len();
        let in_turn = (0..count).map(|step| &self.all[turn.wrapping_add(step) % count]);
        in_turn.into_iter().find(|replica| replica.is_well.load(Ordering::Acquire) && replica.has(after))
    }

    /// Answers a statement from a replica; `None` leaves it to the primary. That is also what becomes of one that failed: the session
    /// only reads, so nothing has happened, and the primary has the last word on whether it was wrong.
    pub(super) async fn ask<A: Ask>(
        &self,
        statement: &Statement,
        run: &Run,
        after: Option<Position>,
    ) -> Option<A::Answer> {
        let replica = self.for_statement(&statement.sql, after)?;
        let answer = match replica.connection.take().await {
            Ok(lease) => A::of(lease, statement.clone(), Some(run)).await,
            Err(source) => Err(source),
        };
        replica.note(answer)
    }

    pub(super) fn connections(&self) -> Connections {
        self.all.iter().map(|replica| replica.connection.connections()).sum()
    }

    pub(super) fn states(&self) -> Vec<ReplicaState> {
        let state = |replica: &Replica| ReplicaState {
            name: replica.name.clone(),
            is_well: replica.is_well.load(Ordering::Acquire),
            lag: Some(replica.lag_us.load(Ordering::Relaxed)).filter(|lag| *lag != UNKNOWN).map(Duration::from_micros),
        };
        self.all.iter().map(state).collect()
    }

    pub(super) async fn close(&self) {
        for replica in self.all.iter() {
            if let Err(source) = replica.connection.close().await {
                tracing::warn!(error = %source, replica = replica.name, "closing a replica failed");
            }
        }
    }
}

impl Replica {
    /// Returns whether it is known to have come so far.
    fn has(&self, after: Option<Position>) -> bool {
        after.is_none_or(|after| Position::new(self.replayed.load(Ordering::Acquire)) >= after)
    }

    /// Keeps an answer, and leaves out the replica that is away.
    fn note<T>(&self, answer: Result<T, DbErr>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(source) => {
                if crate::error::ErrorClass::of_database(&source).status == 503 {
                    self.set_well(false, &source.to_string());
                } else {
                    tracing::debug!(error = %source, replica = self.name, "a statement failed on a replica; asking the primary");
                }
                None
            }
        }
    }

    fn set_well(&self, is_well: bool, why: &str) {
        if self.is_well.swap(is_well, Ordering::AcqRel) != is_well {
            if is_well {
                tracing::info!(replica = self.name, "the replica takes reads");
            } else {
                tracing::warn!(replica = self.name, why, "the replica is left out until it is well");
            }
        }
    }

    async fn look(&self, max_lag: Duration) {
        let question = Statement::from_string(DbBackend::Postgres, LAG);
        let lag = async {
            let row = self.connection.take().await?.rows(question).await?.into_iter().next();
            let number = |name| row.as_ref().map(|row| row.try_get::<Option<i64>>("", name)).transpose();
            let known = |number: Option<Option<i64>>| number.flatten().unwrap_or_default().max(0).unsigned_abs();
            let lag_us = known(number("lag_us")?);
            self.lag_us.store(lag_us, Ordering::Relaxed);
            self.replayed.store(known(number("replayed")?), Ordering::Release);
            Ok::<_, DbErr>(Duration::from_micros(lag_us))
        };
        match tokio::time::timeout(LOOK_TIMEOUT, lag).await {
            Ok(Ok(lag)) if lag <= max_lag => self.set_well(true, ""),
            Ok(Ok(lag)) => self.set_well(false, &format!("it is {lag:?} behind, more than {max_lag:?}")),
            Ok(Err(source)) => self.set_well(false, &source.to_string()),
            Err(_) => self.set_well(false, &format!("it did not answer within {LOOK_TIMEOUT:?}")),
        }
    }
}

async fn look_after(all: Arc<[Replica]>, index: usize, max_lag: Duration) {
    loop {
        all[index].look(max_lag).await;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Replicas").field(&self.states()).finish()
    }
}
