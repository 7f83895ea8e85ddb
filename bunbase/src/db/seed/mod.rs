//! Seeds: the rows that an application begins with.
//!
//! Here: which seeds there are ([`Seeds`]), which of them have run, and running them under the lock of migrations. Not here: when they run
//! (`app`).

mod files;

use std::{collections::HashMap, fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseExecutor, DbBackend, TransactionTrait};
use sea_orm_migration::SchemaManager;

use super::{
    Db, Sql, Tx,
    migrate::{self, again, exclusively, looking},
};
use crate::{Error, Result};

const TABLE: &str = "bunbase_seeds";

/// `ran_at` is in seconds since 1970; the checksum of a seed in Rust is empty.
const CREATE: &str = "CREATE TABLE IF NOT EXISTS bunbase_seeds
    (name TEXT NOT NULL PRIMARY KEY, checksum TEXT NOT NULL, ran_at BIGINT NOT NULL)";
const RAN: &str = "SELECT name, checksum, ran_at FROM bunbase_seeds ORDER BY name";
const RECORD: &str = "INSERT INTO bunbase_seeds (name, checksum, ran_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, ran_at = excluded.ran_at";

type Run = Arc<dyn Fn(Arc<Tx>) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync>;

/// All seeds of an application, and how to run them on a database.
///
/// They run in the order of their names, those in Rust among those in SQL files, each in a transaction of its own and under the lock that
/// migrations take: any number of instances may begin at once. A seed that fails leaves those before it, and the next run goes on with it.
///
/// # SQL files
/// `0001_countries.sql` runs once; what it was is kept as a checksum in the table `bunbase_seeds`, and a file that has changed since is an
/// error. `0002_prices.repeat.sql` runs each time. Parts for one engine stand behind `-- sqlite` or `-- postgres`, as in [migrations](super::migrate::Plan).
///
/// ```
/// # use bunbase::db::{Db, Settings, seed::Seeds};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> bunbase::Result<()> {
/// # let db = Db::open(&Settings::new("sqlite::memory:")).await?;
/// # db.sql("CREATE TABLE country (code TEXT NOT NULL)").execute().await?;
/// let seeds = Seeds::new().once("countries", async |tx| {
///     tx.sql("INSERT INTO country (code) VALUES ($1)").bind("DE").execute().await?;
///     Ok(())
/// });
/// assert_eq!(seeds.run(&db, &[]).await?, ["countries"]);
/// assert!(seeds.run(&db, &[]).await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "seeds do nothing until they are run"]
pub struct Seeds {
    rust: Vec<Seed>,
    sql_dir: Option<PathBuf>,
    lock_timeout: Duration,
}

#[derive(Clone)]
struct Seed {
    name: String,
    repeats: bool,
    work: Work,
}

#[derive(Clone)]
enum Work {
    Rust(Run),
    Sql { text: String, checksum: String },
}

/// A seed and how a database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeedState {
    /// Its name; of a SQL file, the file's name without `.sql` and `.repeat`.
    pub name: String,
    /// Whether it runs each time.
    pub repeats: bool,
    /// Whether it is a SQL file.
    pub is_sql: bool,
    /// When it ran last, to the second.
    pub ran_at: Option<DateTime<Utc>>,
    /// Whether it is a file that has changed since it ran, and may run once only: [`Seeds::run`] refuses it.
    pub changed: bool,
}

#[derive(sea_orm::FromQueryResult)]
struct Row {
    name: String,
    checksum: String,
    ran_at: i64,
}

impl Default for Seeds {
    fn default() -> Self {
        Self { rust: Vec::new(), sql_dir: None, lock_timeout: migrate::LOCK_TIMEOUT }
    }
}

impl Seeds {
    /// Returns no seeds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a seed in Rust that runs once. What it writes goes through the transaction that it is given.
    pub fn once<F, Fut>(self, name: &str, seed: F) -> Self
    where
        F: Fn(Arc<Tx>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.with(name, false, seed)
    }

    /// Adds a seed in Rust that runs each time.
    pub fn repeatable<F, Fut>(self, name: &str, seed: F) -> Self
    where
        F: Fn(Arc<Tx>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.with(name, true, seed)
    }

    fn with<F, Fut>(mut self, name: &str, repeats: bool, seed: F) -> Self
    where
        F: Fn(Arc<Tx>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let run: Run = Arc::new(move |tx| Box::pin(seed(tx)));
        self.rust.push(Seed { name: name.to_owned(), repeats, work: Work::Rust(run) });
        self
    }

    /// Adds the SQL files in a folder. One that does not exist is an error when the seeds are run.
    pub fn sql_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.sql_dir = Some(folder.into());
        self
    }

    /// Sets the longest wait for another instance that migrates or seeds the same database; 5 min unless said.
    pub fn lock_timeout(mut self, longest: Duration) -> Self {
        self.lock_timeout = longest;
        self
    }

    /// Runs what is due, of the seeds named in `only` or of all when it is empty, and returns the names, in order.
    ///
    /// # Errors
    /// 500 `seed_failed` names the seed and has its cause in the source; `seed_changed` for files that ran and are no longer as they were, and
    /// `seed_files` for mistakes in the folder or in names, both before anything runs; 404 `seed_unknown`; 503 when the database is away, or
    /// another instance takes too long.
    pub async fn run(&self, db: &Db, only: &[String]) -> Result<Vec<String>> {
        let seeds = self.all()?;
        let seeds = chosen(&seeds, only)?;
        db.reach().await?;
        let ran = looking(db, async |connection: DatabaseExecutor<'_>| ran(&connection).await).await?;
        let changed: Vec<_> =
            seeds.iter().filter(|seed| seed.has_changed(&ran)).map(|seed| format!("`{}.sql`", seed.name)).collect();
        if !changed.is_empty() {
            return Err(Error::new(
                500,
                "seed_changed",
                format!(
                    "{} ran and has changed since, so nothing was run; put the text back as it was and write another seed, or name it \
                     `….repeat.sql` if it may run each time",
                    changed.join(", ")
                ),
            ));
        }
        let mut names = Vec::new();
        for seed in seeds.into_iter().filter(|seed| seed.is_due(&ran)) {
            let run = async |connection: DatabaseExecutor<'_>| run_one(&connection, seed).await;
            names.extend(exclusively(db, self.lock_timeout, run).await?);
        }
        Ok(names)
    }

    /// Returns every seed and how the database has it. Changes nothing and takes no lock.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn list(&self, db: &Db) -> Result<Vec<SeedState>> {
        let seeds = self.all()?;
        db.reach().await?;
        let ran = looking(db, async |connection: DatabaseExecutor<'_>| ran(&connection).await).await?;
        let state = |seed: &Seed| SeedState {
            name: seed.name.clone(),
            repeats: seed.repeats,
            is_sql: matches!(seed.work, Work::Sql { .. }),
            ran_at: ran.get(&seed.name).and_then(|ran| DateTime::from_timestamp(ran.ran_at, 0)),
            changed: seed.has_changed(&ran),
        };
        Ok(seeds.iter().map(state).collect())
    }

    /// Returns all seeds in order.
    fn all(&self) -> Result<Vec<Seed>> {
        let mut all = self.rust.clone();
        if let Some(folder) = &self.sql_dir {
            all.extend(files::read(folder)?);
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        if all.iter().any(|seed| seed.name.is_empty()) {
            return Err(files::refused("a seed has no name; give it one, such as `countries`".to_owned()));
        }
        match all.windows(2).find(|two| two[0].name == two[1].name) {
            Some(two) => {
                Err(files::refused(format!("two seeds are named `{}`; name one of them otherwise", two[0].name)))
            }
            None => Ok(all),
        }
    }
}

impl Seed {
    fn checksum(&self) -> &str {
        match &self.work {
            Work::Rust(_) => "",
            Work::Sql { checksum, .. } => checksum,
        }
    }

    fn is_due(&self, ran: &HashMap<String, Row>) -> bool {
        self.repeats || !ran.contains_key(&self.name)
    }

    /// Nothing is known of what a seed in Rust did, nor of a file that was one then.
    fn has_changed(&self, ran: &HashMap<String, Row>) -> bool {
        let known = ran.get(&self.name).map(|ran| ran.checksum.as_str()).filter(|checksum| !checksum.is_empty());
        !self.repeats && !self.checksum().is_empty() && known.is_some_and(|checksum| checksum != self.checksum())
    }
}

fn chosen<'s>(seeds: &'s [Seed], only: &[String]) -> Result<Vec<&'s Seed>> {
    if let Some(unknown) = only.iter().find(|name| seeds.iter().all(|seed| seed.name != **name)) {
        let names: Vec<_> = seeds.iter().map(|seed| seed.name.as_str()).collect();
        let known =
            if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
        return Err(Error::new(404, "seed_unknown", format!("no seed is named `{unknown}`; {known}")));
    }
    Ok(seeds.iter().filter(|seed| only.is_empty() || only.contains(&seed.name)).collect())
}

async fn ran(connection: &DatabaseExecutor<'_>) -> Result<HashMap<String, Row>> {
    if !SchemaManager::new(again(connection)).has_table(TABLE).await? {
        return Ok(HashMap::new());
    }
    let rows: Vec<Row> = Sql::new(connection, RAN).all().await?;
    Ok(rows.into_iter().map(|ran| (ran.name.clone(), ran)).collect())
}

/// Runs one seed, unless another instance did while this one waited for the lock.
async fn run_one(connection: &DatabaseExecutor<'_>, seed: &Seed) -> Result<Vec<String>> {
    connection.execute_unprepared(CREATE).await?;
    if !seed.is_due(&ran(connection).await?) {
        return Ok(Vec::new());
    }
    let failed = |source: Error| {
        if source.status() == 503 {
            return source;
        }
        Error::new(500, "seed_failed", format!("the seed `{}` failed", seed.name)).caused_by(source)
    };
    let tx = Arc::new(Tx::of(connection.begin().await?));
    let done = match &seed.work {
        Work::Rust(run) => run(tx.clone()).await,
        Work::Sql { text, .. } => {
            let text = migrate::part_for(connection.get_database_backend(), text);
            migrate::run(tx.db(), &text).await.map_err(Error::from)
        }
    };
    let Some(tx) = Arc::into_inner(tx) else {
        // On SQLite it is inside of the transaction that is the lock, and would keep that open.
        if connection.get_database_backend() == DbBackend::Sqlite {
            connection.execute_unprepared("ROLLBACK").await?;
        }
        return Err(failed(Error::internal(
            "it still holds its transaction, in a task that it started; wait for that",
        )));
    };
    if let Err(error) = done {
        // The seed's error says more than that of a rollback.
        let _ = tx.rollback().await;
        return Err(failed(error));
    }
    let record = tx.sql(RECORD).bind(seed.name.as_str()).bind(seed.checksum()).bind(Utc::now().timestamp());
    record.execute().await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    tracing::info!(seed = seed.name, "ran");
    Ok(vec![seed.name.clone()])
}

impl fmt::Debug for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.rust.iter().map(|seed| &seed.name).collect();
        f.debug_struct("Seeds").field("rust", &names).field("sql_dir", &self.sql_dir).finish_non_exhaustive()
    }
}
