//! What do kept connections save?
//!
//! `cargo run --release -p bunbase-benches -- pool [--postgres URL] [--quick]` makes a database of its own, as `queue` does. The same statements run
//! through [`Db`] and through SeaORM's stock pool, with as many connections and callers, in turn, round by round: ten rows by an index,
//! one row in. Transactions run beside them, for which both take a connection of the driver's pool.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bunbase::db::{
    Db, DbBackend, Settings,
    sea_orm::{
        ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, TransactionSession, TransactionTrait,
    },
};
use tokio::task::JoinSet;

use crate::{
    Result,
    queue::bed::Server,
    report::{Goal, Report, median},
};

const CONNECTIONS: u32 = 20;

/// The statements: a page by an index, and an insert that returns its row.
const SELECT: &str = "SELECT id, title, description, status, created_at FROM bench_tasks WHERE status = $1 ORDER BY created_at DESC LIMIT 10";
const INSERT: &str = "INSERT INTO bench_tasks (title, description, status) VALUES ($1, $2, $3) RETURNING id, title, description, status, created_at";

const TABLE: &str = "CREATE TABLE bench_tasks (id bigserial PRIMARY KEY, title text NOT NULL, description text NOT NULL, status text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE INDEX ON bench_tasks (status, created_at DESC);
    INSERT INTO bench_tasks (title, description, status)
        SELECT 'Task ' || n, 'What is to be done', (ARRAY['open', 'done', 'late'])[n % 3 + 1] FROM generate_series(1, 10000) AS n;
    ANALYZE bench_tasks";

#[derive(Clone, Copy)]
enum Work {
    Select,
    Insert,
    Transaction,
}

/// Runs the benchmark with what the command line says after `pool`.
pub(crate) fn main(options: &[&str]) -> std::io::Result<()> {
    let mut url =
        env::var("BUNBASE_TEST_POSTGRES_URL").unwrap_or_else(|_| "postgres://root@127.0.0.1:5432/postgres".to_owned());
    let (mut rounds, mut time) = (7, Duration::from_secs(3));
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match (*option, options.as_slice().first()) {
            ("--quick", _) => (rounds, time) = (5, Duration::from_secs(1)),
            ("--postgres", Some(value)) => {
                (*value).clone_into(&mut url);
                options.next();
            }
            _ => {
                let text = format!("`{option}` is not known; write: pool [--postgres URL] [--quick]");
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text));
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(&url, rounds, time)).map_err(std::io::Error::other)
}

async fn measure(url: &str, rounds: usize, time: Duration) -> Result<()> {
    let mut report = Report::new("pool");
    let server = Server::new(url).await?;
    let measured = compare(&server.database("pool").await?, rounds, time, &mut report).await;
    server.drop_all().await?;
    measured?;
    report.finish()
}

async fn compare(url: &str, rounds: usize, time: Duration, report: &mut Report) -> Result<()> {
    let ours = Db::open(&Settings { max_connections: CONNECTIONS, ..Settings::new(url) }).await?;
    ours.execute_unprepared(TABLE).await?;
    let mut options = ConnectOptions::new(url);
    options.max_connections(CONNECTIONS).test_before_acquire(false).sqlx_logging(false).record_stmt_in_spans(false);
    let stock: DatabaseConnection = Database::connect(options).await?;
    let stock = Arc::new(stock);
    for (name, work, goal) in
        [("SELECT", Work::Select, 1.5), ("INSERT", Work::Insert, 1.2), ("transaction", Work::Transaction, 0.9)]
    {
        for callers in [1, 20, 100] {
            // Both have opened and prepared before anything counts.
            for time in [Duration::from_millis(200)] {
                rate(Arc::new(ours.clone()), work, callers, time).await?;
                rate(stock.clone(), work, callers, time).await?;
            }
            let (mut all, mut ratios) = ((Vec::new(), Vec::new()), Vec::new());
            for _ in 0..rounds {
                let own = rate(Arc::new(ours.clone()), work, callers, time).await?;
                let beside = rate(stock.clone(), work, callers, time).await?;
                all.0.push(own);
                all.1.push(beside);
                ratios.push(own / beside);
            }
            report.add("postgres", &format!("{name}, {callers} callers, kept"), median(all.0), "/s")?;
            report.add("postgres", &format!("{name}, {callers} callers, stock pool"), median(all.1), "/s")?;
            let what = format!("{name}, {callers} callers, kept ÷ stock pool");
            report.target("postgres", &what, (median(ratios), ""), Goal::AtLeast(goal))?;
        }
    }
    Ok(())
}

/// Returns how often a second the work was done.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
async fn rate<C>(connection: Arc<C>, work: Work, callers: usize, time: Duration) -> Result<f64>
where
    C: ConnectionTrait + TransactionTrait + Send + Sync + 'static,
{
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (connection, done, stop) = (connection.clone(), done.clone(), stop.clone());
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                once(&*connection, work).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, bunbase::db::DbErr>(())
        });
    }
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

async fn once<C: ConnectionTrait + TransactionTrait>(
    connection: &C,
    work: Work,
) -> std::result::Result<(), bunbase::db::DbErr> {
    match work {
        Work::Select => {
            connection.query_all_raw(select()).await?;
        }
        Work::Insert => {
            connection.query_one_raw(insert()).await?;
        }
        Work::Transaction => {
            let transaction = connection.begin().await?;
            transaction.query_all_raw(select()).await?;
            transaction.query_one_raw(insert()).await?;
            transaction.commit().await?;
        }
    }
    Ok(())
}

fn select() -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, SELECT, ["open".into()])
}

fn insert() -> Statement {
    let values = ["Write the docs".into(), "What is to be done".into(), "open".into()];
    Statement::from_sql_and_values(DbBackend::Postgres, INSERT, values)
}
