//! What a server of Postgres says of itself and of the tables: settings, sessions, and what its statistics have counted.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{
    DbBackend, FromQueryResult,
    sqlx::postgres::{PgConnectOptions, PgSslMode},
};

use super::tables::{framework_tables, is_framework};
use crate::{
    Error, Result,
    db::{Db, Settings},
};

/// From how many rows on a table is large: below, reading all of it is as good as an index.
const LARGE_TABLE_ROWS: i64 = 10_000;

/// How often a table is read from end to end before that is a habit.
const SCANS: i64 = 100;

/// From what size on an index that nobody reads is worth dropping: 8 MiB.
const LARGE_INDEX_BYTES: i64 = 8 << 20;

const SETTINGS: &str = "SELECT name, setting, unit, source FROM pg_settings
    WHERE name IN ('archive_mode', 'autovacuum', 'fsync', 'full_page_writes', 'log_min_duration_statement', 'max_connections',
        'reserved_connections', 'shared_buffers', 'superuser_reserved_connections', 'synchronous_commit', 'work_mem')
    ORDER BY name";

/// Processes whose name begins with `$1` are instances of the application.
const SESSIONS: &str = "SELECT
        current_setting('server_version') AS version,
        (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS is_encrypted,
        pg_is_in_recovery() AS is_replica,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS connections,
        (SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE starts_with(application_name, $1)) AS instances,
        (SELECT count(*) FROM pg_stat_replication) AS replicas,
        (SELECT last_archived_time FROM pg_stat_archiver) AS last_archived,
        temp_files, temp_bytes, coalesce(stats_reset, pg_postmaster_start_time()) AS counted_since
    FROM pg_stat_database WHERE datname = current_database()";

/// The columns of an index come in its order, so those of the key have to be its first, in any order. A partial index of rows that
/// have a value serves too.
const UNINDEXED: &str = "SELECT key.conrelid::regclass::text AS name,
        (SELECT string_agg(quote_ident(attname), ', ' ORDER BY place) FROM unnest(key.conkey) WITH ORDINALITY AS part(number, place)
            JOIN pg_attribute ON attrelid = key.conrelid AND attnum = part.number) AS columns
    FROM pg_constraint AS key JOIN pg_class AS class ON class.oid = key.conrelid
    WHERE key.contype = 'f' AND key.conparentid = 0
        AND class.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        AND NOT EXISTS (SELECT FROM pg_index AS made WHERE made.indrelid = key.conrelid AND made.indisvalid
            AND (made.indpred IS NULL OR pg_get_expr(made.indpred, made.indrelid) LIKE '%IS NOT NULL%')
            AND (made.indkey::int2[])[0:cardinality(key.conkey) - 1] @> key.conkey)
    ORDER BY name, columns";

const SCANNED: &str = "SELECT relid::regclass::text AS name, n_live_tup AS rows, seq_scan AS scans, coalesce(idx_scan, 0) AS by_index
    FROM pg_stat_user_tables
    WHERE n_live_tup >= $1 AND seq_scan >= $2 AND seq_tup_read / nullif(seq_scan, 0) >= $1 AND seq_scan > coalesce(idx_scan, 0)
    ORDER BY seq_tup_read DESC, relid";

const UNUSED: &str = "SELECT indexrelid::regclass::text AS name, relid::regclass::text AS table_name, pg_relation_size(indexrelid) AS size_bytes
    FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)
    WHERE idx_scan = 0 AND NOT indisunique AND NOT indisexclusion AND pg_relation_size(indexrelid) >= $1
    ORDER BY size_bytes DESC, name";

/// How a server is reached, as its address says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// The host, or the folder of a socket.
    pub host: String,
    /// Whether it is this machine.
    pub is_local: bool,
    /// `sslmode`, in the words of Postgres.
    pub ssl_mode: &'static str,
    /// Whether a connection that is not encrypted is refused.
    pub must_encrypt: bool,
}

/// A setting of the server.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct ServerSetting {
    /// Its name.
    pub name: String,
    /// Its value, in `unit`.
    pub setting: String,
    /// `ms`, `kB`, `8kB`; none for what is no amount.
    pub unit: Option<String>,
    /// Where it comes from: `default`, `configuration file`, `database`.
    pub source: String,
}

/// A foreign key that no index begins with: each deletion of the row that it names reads its whole table.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct Unindexed {
    /// The table, quoted where it must be.
    pub name: String,
    /// Its columns, with commas between them.
    pub columns: String,
}

/// A large table that is read from end to end more often than by an index.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct Scanned {
    /// The table.
    pub name: String,
    /// How many rows it has, roughly.
    pub rows: i64,
    /// How often it was read from end to end.
    pub scans: i64,
    /// How often it was read by an index.
    pub by_index: i64,
}

/// An index that costs every write and that nobody has read.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct Unused {
    /// The index.
    pub name: String,
    /// Its table.
    pub table_name: String,
    /// How much room it takes.
    pub size_bytes: i64,
}

/// What a server of Postgres said.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Server {
    /// Its version.
    pub version: String,
    /// Whether this session is encrypted; behind a proxy, the proxy's.
    pub is_encrypted: bool,
    /// Whether a proxy that pools transactions is before it: said by `database.pgbouncer`, or found out.
    pub is_pooled: bool,
    /// Whether it only follows another one.
    pub is_replica: bool,
    /// How many sessions of applications there are besides the one that asked.
    pub connections: i64,
    /// How many instances of this application are connected.
    pub instances: i64,
    /// How many servers follow it.
    pub replicas: i64,
    /// When it has last handed a part of its log to an archive.
    pub last_archived: Option<DateTime<Utc>>,
    /// How many files sorts and joins of this database have written for want of memory, since `counted_since`.
    pub temp_files: i64,
    /// How large they were together.
    pub temp_bytes: i64,
    /// Since when it counts.
    pub counted_since: DateTime<Utc>,
    /// Whether statements are counted, by `pg_stat_statements`.
    pub counts_statements: bool,
    /// Foreign keys without an index.
    pub unindexed: Vec<Unindexed>,
    /// Large tables that are read from end to end.
    pub scanned: Vec<Scanned>,
    /// Indexes that nobody reads.
    pub unused: Vec<Unused>,
    pub(crate) settings: BTreeMap<String, ServerSetting>,
}

#[derive(FromQueryResult)]
struct Sessions {
    version: String,
    is_encrypted: Option<bool>,
    is_replica: bool,
    connections: i64,
    instances: i64,
    replicas: i64,
    last_archived: Option<DateTime<Utc>>,
    temp_files: i64,
    temp_bytes: i64,
    counted_since: DateTime<Utc>,
}

impl Server {
    /// Returns a setting; `None` for one that this version does not have.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(|one| one.setting.as_str())
    }

    /// Returns whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.setting(name).is_some_and(|setting| setting != "off")
    }

    /// Returns a setting that counts something.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.setting(name)?.parse().ok()
    }

    /// Returns a setting that is an amount of memory, in bytes.
    pub fn bytes(&self, name: &str) -> Option<u64> {
        let one = self.settings.get(name)?;
        let count: u64 = one.setting.parse().ok()?;
        let unit = match one.unit.as_deref()? {
            "B" => 1,
            "kB" => 1 << 10,
            "8kB" => 8 << 10,
            "MB" => 1 << 20,
            _ => return None,
        };
        count.checked_mul(unit)
    }

    /// Returns a setting that is a time in milliseconds; `None` where it is −1, which is off.
    pub fn millis(&self, name: &str) -> Option<Duration> {
        u64::try_from(self.number(name)?).ok().map(Duration::from_millis)
    }

    /// Returns how many connections the server has for applications that are no superuser's.
    pub fn room(&self) -> i64 {
        let of = |name| self.number(name).unwrap_or(0);
        (of("max_connections") - of("superuser_reserved_connections") - of("reserved_connections")).max(0)
    }
}

#[cfg(test)]
impl Server {
    /// A server that is well, with these settings, each with its unit.
    pub(crate) fn of(settings: &[(&str, &str, Option<&str>)]) -> Self {
        let one = |(name, setting, unit): &(&str, &str, Option<&str>)| {
            let (name, setting) = ((*name).to_owned(), (*setting).to_owned());
            (name.clone(), ServerSetting { name, setting, unit: unit.map(str::to_owned), source: "default".to_owned() })
        };
        Self {
            version: "15.20".to_owned(),
            is_encrypted: true,
            is_pooled: false,
            is_replica: false,
            connections: 7,
            instances: 2,
            replicas: 1,
            last_archived: None,
            temp_files: 0,
            temp_bytes: 0,
            counted_since: DateTime::UNIX_EPOCH,
            counts_statements: true,
            unindexed: Vec::new(),
            scanned: Vec::new(),
            unused: Vec::new(),
            settings: settings.iter().map(one).collect(),
        }
    }
}

/// Reads from the address how the server of a database is reached; `None` for SQLite.
///
/// # Errors
/// 500 `database_url` when it is no address. It is not repeated: it may have a password.
pub fn address(settings: &Settings) -> Result<Option<Address>> {
    if settings.url.starts_with("sqlite:") {
        return Ok(None);
    }
    let options: PgConnectOptions = settings
        .url
        .parse()
        .map_err(|source| Error::new(500, "database_url", "the address of the database is none").caused_by(source))?;
    let host = options.get_socket().map_or_else(|| options.get_host().to_owned(), |path| path.display().to_string());
    let is_loopback = || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let (ssl_mode, must_encrypt) = match options.get_ssl_mode() {
        PgSslMode::Disable => ("disable", false),
        PgSslMode::Allow => ("allow", false),
        PgSslMode::Prefer => ("prefer", false),
        PgSslMode::Require => ("require", true),
        PgSslMode::VerifyCa => ("verify-ca", true),
        PgSslMode::VerifyFull => ("verify-full", true),
    };
    let is_local = host.starts_with('/') || host.eq_ignore_ascii_case("localhost") || is_loopback();
    Ok(Some(Address { host, is_local, ssl_mode, must_encrypt }))
}

/// Asks a server of Postgres about itself. `name` is what the [`application_name`](Settings::application_name)s of the instances begin
/// with. Changes nothing.
///
/// # Errors
/// 503 when it cannot be reached, 500 on SQLite, and what its answers fail with.
pub async fn server(db: &Db, name: &str) -> Result<Server> {
    if db.backend() != DbBackend::Postgres {
        return Err(Error::internal("SQLite has no server"));
    }
    db.reach().await?;
    let settings: Vec<ServerSetting> = db.sql(SETTINGS).all().await?;
    let sessions: Sessions = db.sql(SESSIONS).bind(name).one().await?;
    let counts_statements = super::slow(db).await.is_ok();
    let own = framework_tables().await?;
    let mut scanned: Vec<Scanned> = db.sql(SCANNED).bind(LARGE_TABLE_ROWS).bind(SCANS).all().await?;
    // Nobody but the framework can do anything about its own.
    scanned.retain(|table| !is_framework(&own, &table.name));
    let mut unused: Vec<Unused> = db.sql(UNUSED).bind(LARGE_INDEX_BYTES).all().await?;
    unused.retain(|index| !is_framework(&own, &index.table_name));
    Ok(Server {
        version: sessions.version,
        is_encrypted: sessions.is_encrypted.unwrap_or(false),
        is_pooled: db.settings().pools_transactions(),
        is_replica: sessions.is_replica,
        connections: sessions.connections,
        instances: sessions.instances,
        replicas: sessions.replicas,
        last_archived: sessions.last_archived,
        temp_files: sessions.temp_files,
        temp_bytes: sessions.temp_bytes,
        counted_since: sessions.counted_since,
        counts_statements,
        unindexed: db.sql(UNINDEXED).all().await?,
        scanned,
        unused,
        settings: settings.into_iter().map(|one| (one.name.clone(), one)).collect(),
    })
}

/// The foreign keys of a SQLite database, and for each whether an index begins with its columns.
const SQLITE_UNINDEXED: &str = "SELECT child.name AS name, keys.columns AS columns FROM sqlite_schema AS child
    JOIN (SELECT tables.name AS name, list.id AS id, group_concat(list.\"from\", ', ') AS columns, count(*) AS width
        FROM sqlite_schema AS tables JOIN pragma_foreign_key_list(tables.name) AS list
        WHERE tables.type = 'table' GROUP BY tables.name, list.id) AS keys ON keys.name = child.name
    WHERE NOT EXISTS (SELECT 1 FROM pragma_index_list(child.name) AS made WHERE keys.width = (
            SELECT count(*) FROM pragma_index_info(made.name) AS part JOIN pragma_foreign_key_list(child.name) AS list
                ON list.\"from\" = part.name AND list.id = keys.id
            WHERE part.seqno < keys.width))
        AND NOT EXISTS (SELECT 1 FROM pragma_table_info(child.name) AS own
            WHERE own.pk = 1 AND own.type = 'INTEGER' AND keys.columns = own.name)
    ORDER BY 1, 2";

/// Returns the foreign keys of a SQLite database that no index begins with. Changes nothing.
///
/// # Errors
/// Those of the database; 500 on Postgres, where [`server`] says it.
pub async fn unindexed(db: &Db) -> Result<Vec<Unindexed>> {
    if db.backend() != DbBackend::Sqlite {
        return Err(Error::internal("this is asked of SQLite"));
    }
    db.sql(SQLITE_UNINDEXED).all().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_and_how() {
        let of = |url: &str| address(&Settings::new(url)).unwrap();
        assert_eq!(of("sqlite://data/app.db"), None);
        let near = of("postgres://me:hunter2@127.0.0.1:5433/app").unwrap();
        assert_eq!((near.host.as_str(), near.is_local, near.must_encrypt), ("127.0.0.1", true, false));
        assert!(of("postgres://me@localhost/app").unwrap().is_local);
        assert!(of("postgres:///app?host=/run/postgresql").unwrap().is_local);
        for (mode, must_encrypt) in [("disable", false), ("prefer", false), ("require", true), ("verify-full", true)] {
            let far = of(&format!("postgres://me@db.example/app?sslmode={mode}")).unwrap();
            assert_eq!((far.is_local, far.ssl_mode, far.must_encrypt), (false, mode, must_encrypt));
        }
        let error = address(&Settings::new("postgres://me:hunter2@db.example:x/app")).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
