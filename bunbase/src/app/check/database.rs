//! The lines on the database.

use std::time::Duration;

use super::{
    facts::{Database, Facts, Tables},
    report::{Line, Question, line, required, size, some},
};
use crate::db::{
    BESIDE_THE_POOL,
    migrate::State,
    operate::{Address, Server},
};

/// What `initdb` writes into postgresql.conf: enough for a server with half a gigabyte.
const INITIAL_SHARED_BUFFERS: u64 = 128 << 20;

/// How many files sorts may have written before that says something.
const TEMP_FILES: i64 = 100;

const EXPLAIN: &str = "APP db explain \"SELECT …\"";

const INDEXES: Question = line("database.indexes", "Add indexes for frequently queried columns");
const SLOW: Question =
    line("database.slow_queries", "Enable query logging and analyze slow queries (`log_min_duration_statement`)");
const POOL: Question =
    required("database.connections", "Configure connection pooling (20-50 connections per instance)");
const TLS: Question = required("database.tls", "Enable SSL/TLS encryption (`sslmode=require`)");
const SHARED_BUFFERS: Question = line("database.shared_buffers", "Set appropriate `shared_buffers` (25% of RAM)");
const WORK_MEM: Question = line("database.work_mem", "Configure `work_mem` based on query complexity");
const STATEMENTS: Question = line("database.statements", "Enable `pg_stat_statements` for query analysis");
const BACKUPS: Question = line("database.backups", "Set up automated backups (daily)");
const REPLICAS: Question = line("database.replicas", "Configure read replicas for read-heavy workloads");
// Beyond the guide.
const MIGRATIONS: Question = required("database.migrations", "The tables are up to date");
const INSTANCES: Question = line("database.instances", "Several instances can share it");
const DURABILITY: Question = required("database.durability", "What is committed survives a crash");
const TIMEOUTS: Question = line("database.timeouts", "No statement and no transaction runs for ever");
const VACUUM: Question = line("database.autovacuum", "Dead rows are cleared away, and the planner knows the tables");
const SCANS: Question = line("database.scans", "No large table is read from end to end");
const UNUSED: Question = line("database.unused_indexes", "No large index is kept that nobody reads");

pub(super) fn lines(facts: &Facts<'_>) -> Vec<Line> {
    let mut lines = match &facts.database {
        Database::Sqlite { .. } => of_sqlite(facts),
        Database::Postgres { address, server, .. } => of_postgres(facts, address.as_ref(), server),
    };
    lines.insert(0, migrations(facts));
    // In the guide's order, then ours.
    let order = [
        INDEXES,
        SLOW,
        POOL,
        TLS,
        SHARED_BUFFERS,
        WORK_MEM,
        STATEMENTS,
        BACKUPS,
        REPLICAS,
        MIGRATIONS,
        INSTANCES,
        DURABILITY,
        TIMEOUTS,
        VACUUM,
        SCANS,
        UNUSED,
    ];
    lines.sort_by_key(|line| order.iter().position(|question| question.is_of(line)));
    lines
}

fn of_sqlite(facts: &Facts<'_>) -> Vec<Line> {
    let Database::Sqlite { is_file, unindexed, .. } = &facts.database else { return Vec::new() };
    let config = facts.config;
    let indexes = match unindexed {
        Err(why) => INDEXES.unknown(why.clone()),
        Ok(none) if none.is_empty() => INDEXES.yes("every foreign key has an index"),
        Ok(keys) => {
            let names: Vec<_> = keys.iter().map(|key| format!("{} ({})", key.name, key.columns)).collect();
            keys.iter().take(5).fold(
                INDEXES.no(format!("foreign keys without an index: {}", some(&names))),
                |line, key| {
                    let columns: Vec<_> = key.columns.split(", ").collect();
                    let (table, name) = (&key.name, columns.join("_"));
                    line.sql(format!("CREATE INDEX \"{table}_{name}\" ON \"{table}\" (\"{}\")", columns.join("\", \"")))
                },
            )
        }
    };
    let readers = config.database.readers;
    let memory = "it is in the memory of the process, and gone with it";
    let durability =
        DURABILITY.yes_unless(!is_file, if *is_file { "SQLite, in a file with a write-ahead log" } else { memory });
    vec![
        indexes.command(EXPLAIN),
        slow_here(facts),
        POOL.yes(format!("SQLite: one connection writes, `database.readers` = {readers} read"))
            .key("database.readers", "one for each core that reads"),
        TLS.yes("SQLite is a file of this machine: nothing goes over a network"),
        SHARED_BUFFERS.yes("nothing to do: SQLite leaves that to the cache of the system"),
        WORK_MEM.yes("nothing to do: SQLite sorts in memory, then in a file"),
        STATEMENTS
            .yes_unless(
                !config.persistence.enabled,
                "SQLite counts no statements; `APP db slow` lists the slowest recorded runs",
            )
            .key("persistence.enabled", "true")
            .command("APP db slow"),
        BACKUPS.unknown("nobody tells the application who copies its file").command("APP db backup FILE"),
        REPLICAS
            .yes(format!("SQLite: `database.readers` = {readers} connections read while one writes"))
            .key("database.readers", "one for each core that reads"),
        INSTANCES
            .no("SQLite is one file of one machine: it is for one instance, or several processes beside each other")
            .key("database.url", "postgres://USER:PASSWORD@HOST/NAME?sslmode=verify-full"),
        durability.key("database.url", "sqlite://data/app.db"),
        timeouts(facts, None),
        VACUUM.yes("nothing to do: SQLite uses the room of deleted rows again"),
        SCANS.unknown("SQLite does not count how its tables are read").command("APP db slow"),
        UNUSED.unknown("SQLite does not count how its indexes are read"),
    ]
}

fn of_postgres(facts: &Facts<'_>, address: Option<&Address>, server: &Result<Box<Server>, String>) -> Vec<Line> {
    let mut lines =
        vec![tls(address, server.as_deref().ok()), timeouts(facts, server.as_deref().ok()), replicas(facts)];
    lines.push(INSTANCES.yes("Postgres is shared by all instances").key("database.url", "postgres://…"));
    let server = match server {
        Ok(server) => server,
        Err(why) => {
            let away = |question: Question| question.unknown(format!("the database did not answer: {why}"));
            lines.extend([INDEXES, SHARED_BUFFERS, WORK_MEM, STATEMENTS, DURABILITY, VACUUM, SCANS, UNUSED].map(away));
            lines.push(slow_here(facts));
            let (own, room) = (facts.config.database.max_connections, facts.instances().0);
            lines.push(
                away(POOL)
                    .words(format!(
                        "`database.max_connections` = {own}, {room} instances: hold it against the server's"
                    ))
                    .key("database.max_connections", "20"),
            );
            lines.push(BACKUPS.unknown("the database did not answer").command("APP db backup FILE"));
            return lines;
        }
    };
    lines.extend([
        indexes(server),
        slow(facts, server),
        pool(facts, server),
        shared_buffers(facts, server),
        work_mem(facts, server),
        STATEMENTS
            .yes_unless(
                !server.counts_statements,
                if server.counts_statements {
                    "the extension counts in this database: `APP db slow` lists the ten most expensive statements"
                } else {
                    "the extension `pg_stat_statements` is not in this database, or its library is not loaded"
                },
            )
            .sql("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
            .words("restart the server; libraries that are loaded already are named there too")
            .sql("CREATE EXTENSION pg_stat_statements"),
        backups(server),
        durability(server),
        VACUUM
            .yes_unless(
                !server.is_on("autovacuum"),
                format!("autovacuum = {}", server.setting("autovacuum").unwrap_or("?")),
            )
            .sql("ALTER SYSTEM SET autovacuum = on")
            .sql("SELECT pg_reload_conf()"),
        scans(server),
        unused(server),
    ]);
    lines
}

fn migrations(facts: &Facts<'_>) -> Line {
    let on_start = facts.config.database.migrate_on_start;
    let tables = match facts.database.tables() {
        Ok(tables) => tables,
        Err(why) if on_start => {
            return MIGRATIONS
                .unknown(format!("{why}; `database.migrate_on_start` = true: `serve` brings them up to date"))
                .command("APP migrate up");
        }
        Err(why) => return MIGRATIONS.unknown(why.clone()).command("APP migrate status").command("APP migrate up"),
    };
    let (pending, changed) = (tables.named(State::Pending), tables.named(State::Changed));
    let applied = tables.named(State::Applied).len();
    if !changed.is_empty() {
        return MIGRATIONS
            .no(format!("files that were applied have changed since: {}", some(&changed)))
            .command("APP migrate status")
            .command("APP migrate new NAME");
    }
    if pending.is_empty() {
        return MIGRATIONS.yes(format!("all {applied} migrations are applied")).command("APP migrate status");
    }
    let fact = format!("{applied} are applied, {} are pending: {}", pending.len(), some(&pending));
    if on_start {
        return MIGRATIONS
            .yes(format!("{fact}; `database.migrate_on_start` = true: the next start applies them"))
            .command("APP migrate plan")
            .command("APP migrate up");
    }
    MIGRATIONS.no(fact).command("APP migrate up").key("database.migrate_on_start", "true")
}

fn indexes(server: &Server) -> Line {
    if server.unindexed.is_empty() {
        return INDEXES.yes("every foreign key has an index").command(EXPLAIN);
    }
    let names: Vec<_> = server.unindexed.iter().map(|key| format!("{} ({})", key.name, key.columns)).collect();
    let line = INDEXES.no(format!("foreign keys without an index: {}", some(&names)));
    let made = |line: Line, key: &crate::db::operate::Unindexed| {
        line.sql(format!("CREATE INDEX CONCURRENTLY ON {} ({})", key.name, key.columns))
    };
    server.unindexed.iter().take(5).fold(line, made).command(EXPLAIN)
}

fn scans(server: &Server) -> Line {
    let since = server.counted_since.format("%Y-%m-%d");
    if server.scanned.is_empty() {
        return SCANS.yes(format!("none of more than 10,000 rows, as counted since {since}")).command("APP db slow");
    }
    let told = |table: &crate::db::operate::Scanned| {
        format!("{} ({} rows, {} times, by an index {} times)", table.name, table.rows, table.scans, table.by_index)
    };
    let names: Vec<_> = server.scanned.iter().map(told).collect();
    SCANS
        .no(format!("read from end to end since {since}: {}", some(&names)))
        .command("APP db slow")
        .command(EXPLAIN)
        .words("an index of the columns by which the statement chooses: CREATE INDEX CONCURRENTLY")
}

fn unused(server: &Server) -> Line {
    let since = server.counted_since.format("%Y-%m-%d");
    if server.unused.is_empty() {
        return UNUSED.yes(format!("none of 8 MiB or more, as counted since {since}"));
    }
    let told = |index: &crate::db::operate::Unused| {
        format!("{} ({})", index.name, size(u64::try_from(index.size_bytes).unwrap_or(0)))
    };
    let names: Vec<_> = server.unused.iter().map(told).collect();
    let fact = format!("nobody has read them since {since}, on this server: {}", some(&names));
    let line = UNUSED.no(fact).words("ask the replicas too, which count for themselves");
    server.unused.iter().take(5).fold(line, |line, index| line.sql(format!("DROP INDEX CONCURRENTLY {}", index.name)))
}

/// What the application itself logs as slow.
fn slow_here(facts: &Facts<'_>) -> Line {
    let fact = facts.config.database.slow_query.map_or_else(
        || "`database.slow_query` = 0: the application logs none".to_owned(),
        |slow| format!("`database.slow_query` = {slow:?}: the application logs them, with action and trace"),
    );
    SLOW.yes_unless(facts.config.database.slow_query.is_none(), fact)
        .key("database.slow_query", "\"100ms\"")
        .command("APP db slow")
}

fn slow(facts: &Facts<'_>, server: &Server) -> Line {
    let here = facts.config.database.slow_query;
    let on_server = server.millis("log_min_duration_statement");
    let here_words = here.map_or("nothing".to_owned(), |slow| format!("from {slow:?} on"));
    let server_words = on_server.map_or("nothing".to_owned(), |slow| format!("from {slow:?} on"));
    let fact = format!(
        "the server logs {server_words} (`log_min_duration_statement`), the application {here_words} (`database.slow_query`)"
    );
    // The application sees its own statements, with their waits; the server everybody's.
    let heard = [here, on_server].into_iter().flatten().min();
    SLOW.yes_unless(heard.is_none_or(|slow| slow > Duration::from_secs(1)), fact)
        .key("database.slow_query", "\"100ms\"")
        .sql("ALTER SYSTEM SET log_min_duration_statement = '100ms'")
        .sql("SELECT pg_reload_conf()")
        .command("APP db slow")
}

fn pool(facts: &Facts<'_>, server: &Server) -> Line {
    let database = &facts.config.database;
    let (instances, how) = facts.instances();
    let each = i64::from(database.max_connections) + if server.is_pooled { 0 } else { i64::from(BESIDE_THE_POOL) };
    let (room, most) = (server.room(), server.number("max_connections").unwrap_or(0));
    let fact = format!(
        "`database.max_connections` = {}; {instances} instances × {each} = {} of the server's max_connections = {most}, {room} of them for \
         applications, {} in use now; instances: {how}",
        database.max_connections,
        instances * each,
        server.connections,
    );
    if server.is_pooled {
        return POOL
            .yes(format!("PgBouncer is before the server and has the connections; {fact}"))
            .key("database.max_connections", "what `default_pool_size` of PgBouncer divided by the instances is");
    }
    let fits = (room / instances.max(1) - i64::from(BESIDE_THE_POOL)).max(1);
    if instances * each > room {
        return POOL
            .no(fact)
            .key("database.max_connections", fits.to_string())
            .sql(format!("ALTER SYSTEM SET max_connections = {}", instances * each + 10))
            .key("database.pgbouncer", "true, with PgBouncer in front of the server");
    }
    POOL.yes(fact).key("database.max_connections", format!("at most {fits}"))
}

fn tls(address: Option<&Address>, server: Option<&Server>) -> Line {
    let Some(address) = address else {
        return TLS
            .unknown("the address of the database cannot be read")
            .key("database.url", "postgres://…?sslmode=verify-full");
    };
    let now = match server {
        Some(server) if server.is_encrypted => "; this connection is encrypted",
        Some(_) => "; this connection is not encrypted",
        None => "",
    };
    let fact = format!("`sslmode={}` to {}{now}", address.ssl_mode, address.host);
    let fact = if address.is_local { format!("{fact}; it is on this machine") } else { fact };
    TLS.yes_unless(!address.must_encrypt && !address.is_local, fact)
        .key(
            "database.url",
            "the same with `?sslmode=verify-full`, which also asks who the server is; `require` encrypts",
        )
        .sql("ALTER SYSTEM SET ssl = on")
}

fn shared_buffers(facts: &Facts<'_>, server: &Server) -> Line {
    let Some(buffers) = server.bytes("shared_buffers") else {
        return SHARED_BUFFERS.unknown("the server does not say").sql("SHOW shared_buffers");
    };
    let Some(memory) = facts.database_memory() else {
        let fact = format!("shared_buffers = {}; how much memory the server has cannot be asked", size(buffers));
        let line = if buffers <= INITIAL_SHARED_BUFFERS {
            SHARED_BUFFERS.no(format!("{fact}, and this is what `initdb` writes for a small one"))
        } else {
            SHARED_BUFFERS.unknown(format!("{fact}: say it by `--database-memory 16GiB`"))
        };
        return line.words("ALTER SYSTEM SET shared_buffers to a quarter of its memory, and restart the server");
    };
    let percent = buffers.saturating_mul(100) / memory.max(1);
    let fact = format!("shared_buffers = {}, {percent} % of {}", size(buffers), size(memory));
    SHARED_BUFFERS
        .yes_unless(!(15..=40).contains(&percent), fact)
        .sql(format!("ALTER SYSTEM SET shared_buffers = '{}MB'", (memory / 4) >> 20))
        .words("restart the server")
}

fn work_mem(facts: &Facts<'_>, server: &Server) -> Line {
    let Some(work_mem) = server.bytes("work_mem") else {
        return WORK_MEM.unknown("the server does not say").sql("SHOW work_mem");
    };
    let since = server.counted_since.format("%Y-%m-%d");
    let written = size(u64::try_from(server.temp_bytes).unwrap_or(0));
    let fact = format!(
        "work_mem = {}; sorts and joins wrote {} files ({written}) for want of it since {since}",
        size(work_mem),
        server.temp_files
    );
    // Each part of each statement may take it.
    let connections = u64::try_from(server.number("max_connections").unwrap_or(0)).unwrap_or(0);
    let at_worst = work_mem.saturating_mul(connections);
    if let Some(memory) = facts.database_memory().filter(|memory| at_worst > memory / 2) {
        return WORK_MEM
            .no(format!("{fact}; {connections} connections may take {} of {} at once", size(at_worst), size(memory)))
            .sql(format!("ALTER SYSTEM SET work_mem = '{}MB'", ((memory / 4 / connections.max(1)) >> 20).max(1)))
            .sql("SELECT pg_reload_conf()");
    }
    WORK_MEM
        .yes_unless(server.temp_files >= TEMP_FILES, fact)
        .sql(format!("ALTER SYSTEM SET work_mem = '{}MB'", (work_mem >> 20).max(1) * 4))
        .sql("SELECT pg_reload_conf()")
        .command("APP db explain --analyze \"SELECT …\"")
}

fn backups(server: &Server) -> Line {
    let line = match server.last_archived {
        Some(at) => BACKUPS.yes(format!("the server archives its log, last at {}", at.format("%Y-%m-%d %H:%M UTC"))),
        None if server.is_on("archive_mode") => BACKUPS.no("archive_mode is on, and nothing was archived yet"),
        None => BACKUPS.unknown("archive_mode is off; who runs `pg_dump`, or copies the volume, is not known here"),
    };
    line.command("APP db backup FILE").words("restore one now and then: what was never restored is no backup")
}

fn replicas(facts: &Facts<'_>) -> Line {
    let database = &facts.config.database;
    let count = database.read_replica_url.len();
    let fact = match count {
        0 => "`database.read_replica_url` is not set: the primary answers all reads".to_owned(),
        _ => format!("`database.read_replica_url` has {count}; left out from {:?} of lag on", database.max_lag),
    };
    REPLICAS
        .yes_unless(count == 0, fact)
        .key("database.read_replica_url", "[\"postgres://USER:PASSWORD@REPLICA/NAME\"]")
}

fn durability(server: &Server) -> Line {
    let off: Vec<_> =
        ["fsync", "full_page_writes", "synchronous_commit"].into_iter().filter(|name| !server.is_on(name)).collect();
    if off.is_empty() {
        return DURABILITY.yes("fsync, full_page_writes and synchronous_commit are on");
    }
    let line = DURABILITY.no(format!("off: {}", off.join(", ")));
    let line = off.iter().fold(line, |line, name| line.sql(format!("ALTER SYSTEM SET {name} = on")));
    line.sql("SELECT pg_reload_conf()")
}

fn timeouts(facts: &Facts<'_>, server: Option<&Server>) -> Line {
    let database = &facts.config.database;
    let word = |limit: Option<Duration>| limit.map_or("none".to_owned(), |limit| format!("{limit:?}"));
    let (statement, transaction) = (word(database.statement_timeout), word(database.transaction_timeout));
    let fact = format!("`database.statement_timeout`: {statement}; `database.transaction_timeout`: {transaction}");
    // Behind the proxy it is the proxy's, or the role's.
    let is_pooled = server.map_or(database.pgbouncer == Some(true), |server| server.is_pooled);
    let has_no_statement_timeout = database.statement_timeout.is_none() && !facts.is_sqlite() && !is_pooled;
    TIMEOUTS
        .yes_unless(database.transaction_timeout.is_none() || has_no_statement_timeout, fact)
        .key("database.statement_timeout", "\"30s\"")
        .key("database.transaction_timeout", "\"30s\"")
}

/// The jobs that wait, for the lines on workers.
pub(super) fn queues(tables: &Result<Tables, String>) -> Option<(u64, Duration, u64)> {
    let queues = tables.as_ref().ok()?.queues.as_ref()?;
    let waiting = queues.iter().map(|queue| queue.waiting.iter().sum::<u64>()).sum();
    let oldest = queues.iter().filter_map(|queue| queue.oldest_due).max().unwrap_or_default();
    Some((waiting, oldest, queues.iter().map(|queue| queue.dead_letters).sum()))
}
