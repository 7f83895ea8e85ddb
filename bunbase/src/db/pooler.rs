//! Whether a proxy that pools transactions, as PgBouncer does, stands before a Postgres server.

use std::{collections::BTreeSet, time::Duration};

use sea_orm::{
    SqlxError,
    sqlx::{ConnectOptions as _, Connection, PgConnection, Row, raw_sql},
};

use super::{Settings, pool::connect_options};

/// How long looking may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// How often each of the two connections is asked, two times in a row: a proxy that hands out its sessions in turn shows by those, one
/// that reuses the last shows by the other connection.
const ROUNDS: u32 = 3;

/// The session that answers. Processes of two servers may have one number, hence the start of the server.
const WHO: &str = "SELECT pg_backend_pid() || ' ' || pg_postmaster_start_time()";

/// PgBouncer refuses what it does not know at the start of a session with these words.
pub(super) const REFUSED: &str = "unsupported startup parameter";

/// Returns whether a Postgres address leads to a proxy that pools transactions, and says so when it does. A server that does not answer
/// is taken for one without.
///
/// Two connections that are both open have a session of the server each. Behind such a proxy two that ask one after the other get the
/// same, or one gets another than before.
pub(super) async fn detect(settings: &Settings) -> bool {
    let seen = tokio::time::timeout(LOOK_TIMEOUT.min(settings.acquire_timeout), look(settings)).await;
    let why = match seen {
        Ok(Ok(false)) => return false,
        Ok(Ok(true)) => "two of its connections share a session of the server",
        Ok(Err(error)) if error.to_string().contains(REFUSED) => {
            "it refuses what the server takes at the start of a session"
        }
        unknown => {
            let error = unknown.ok().and_then(Result::err).map(|error| error.to_string());
            tracing::warn!(
                database = settings.url_for_display(),
                error = error.unwrap_or_else(|| "there was no answer".to_owned()),
                "whether PgBouncer is before the database is not known; taken as the server itself unless `database.pgbouncer = true`"
            );
            return false;
        }
    };
    let wake_ups = match settings.direct_url {
        Some(_) => "wake-ups and migrations take `database.direct_url`",
        None => "no wake-ups are heard, for want of `database.direct_url`: workers look every `queue.poll_interval`",
    };
    tracing::info!(
        database = settings.url_for_display(),
        why,
        "PgBouncer in transaction mode is before the database: no statement stays prepared, and each is a transaction; {wake_ups}"
    );
    true
}

async fn look(settings: &Settings) -> Result<bool, SqlxError> {
    let options = connect_options(settings)?;
    let (mut one, mut other) = tokio::try_join!(options.connect(), options.connect())?;
    let mut sessions = [BTreeSet::new(), BTreeSet::new()];
    for _ in 0..ROUNDS {
        for (connection, sessions) in [&mut one, &mut other].into_iter().zip(&mut sessions) {
            sessions.insert(session(connection).await?);
            sessions.insert(session(connection).await?);
        }
    }
    // What they say is known; whether they close well is of no interest.
    let _ = tokio::join!(one.close(), other.close());
    let [one, other] = sessions;
    Ok(one.len() > 1 || other.len() > 1 || one == other)
}

/// Asks which session answers, without a prepared statement.
async fn session(connection: &mut PgConnection) -> Result<String, SqlxError> {
    raw_sql(WHO).fetch_one(connection).await?.try_get(0)
}
