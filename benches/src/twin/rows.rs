//! The statements of `db-read` and `db-write` by sqlx, on connections that each worker keeps for itself: a statement is one round trip, and no lock is shared.

use std::{cell::RefCell, str::FromStr};

use actix_web::{
    HttpResponse,
    error::ErrorInternalServerError,
    web::{self, ServiceConfig},
};
use bunbase::sea_orm::sqlx::{
    self, ConnectOptions, Row as _,
    postgres::{PgConnectOptions, PgConnection},
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous},
};
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// Connections to Postgres of the whole process, as many as the application has by default.
const CONNECTIONS: usize = 20;

const SELECT: &str = "SELECT id, title, description, status, created_at FROM bench_tasks
    WHERE status = $1 ORDER BY created_at DESC LIMIT 10";
const INSERT: &str = "INSERT INTO bench_tasks (title, description, status, created_at) VALUES ($1, $2, $3, $4)
    RETURNING id, title, description, status, created_at";

pub(super) fn routes(routes: &mut ServiceConfig) {
    routes
        .route("/db/tasks", web::get().to(newest))
        .route("/db/tasks/search", web::post().to(search))
        .route("/db/tasks", web::post().to(store));
}

#[derive(Deserialize)]
struct Wanted {
    status: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    status: String,
    title: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    title: String,
    description: String,
    status: String,
}

#[derive(Serialize)]
struct Task {
    id: i64,
    title: String,
    description: String,
    status: String,
    created_at: DateTime<Utc>,
}

/// Connections of one worker. They are opened when they are needed.
pub(super) struct Lanes<C: sqlx::Connection> {
    options: C::Options,
    idle: RefCell<Vec<C>>,
    free: Semaphore,
}

impl<C: sqlx::Connection> Lanes<C> {
    fn new(options: C::Options, count: usize) -> Self {
        Self { options, idle: RefCell::default(), free: Semaphore::new(count.max(1)) }
    }

    async fn with<T>(&self, f: impl AsyncFnOnce(&mut C) -> sqlx::Result<T>) -> sqlx::Result<T> {
        let _place = self.free.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => C::connect_with(&self.options).await?,
        };
        let result = f(&mut connection).await;
        // One that failed may be in the middle of something.
        if result.is_ok() {
            self.idle.borrow_mut().push(connection);
        }
        result
    }
}

/// Where the rows are.
#[derive(Clone)]
enum Address {
    Postgres(PgConnectOptions),
    Sqlite(SqliteConnectOptions),
}

/// What makes the connections of each worker.
#[derive(Clone)]
pub(super) struct Stores {
    address: Option<Address>,
    workers: usize,
}

impl Stores {
    pub(super) fn is_there(&self) -> bool {
        self.address.is_some()
    }

    pub(super) fn for_worker(&self) -> Store {
        match &self.address {
            None => Store::None,
            Some(Address::Postgres(options)) => {
                Store::Postgres(Lanes::new(options.clone(), CONNECTIONS / self.workers))
            }
            Some(Address::Sqlite(options)) => Store::Sqlite {
                readers: Lanes::new(options.clone().read_only(true), 4),
                writer: Lanes::new(options.clone().journal_mode(SqliteJournalMode::Wal), 1),
            },
        }
    }
}

/// The connections of a worker.
#[expect(clippy::large_enum_variant, reason = "there is one for each worker")]
pub(super) enum Store {
    None,
    Postgres(Lanes<PgConnection>),
    Sqlite { readers: Lanes<SqliteConnection>, writer: Lanes<SqliteConnection> },
}

/// Reads a row of either database.
macro_rules! task {
    ($row:expr) => {{
        let row = $row;
        Ok(Task {
            id: row.try_get(0)?,
            title: row.try_get(1)?,
            description: row.try_get(2)?,
            status: row.try_get(3)?,
            created_at: row.try_get(4)?,
        })
    }};
}

impl Store {
    /// Prepares what workers open.
    pub(super) fn prepare(url: Option<&str>, workers: usize) -> crate::Result<Stores> {
        let address = match url {
            None => None,
            Some(url) if url.starts_with("postgres") => {
                Some(Address::Postgres(PgConnectOptions::from_str(url)?.disable_statement_logging()))
            }
            Some(url) => Some(Address::Sqlite(
                SqliteConnectOptions::from_str(url)?
                    .foreign_keys(true)
                    .busy_timeout(std::time::Duration::from_secs(5))
                    .synchronous(SqliteSynchronous::Normal)
                    .pragma("cache_size", "-65536")
                    .pragma("mmap_size", "268435456")
                    .pragma("temp_store", "MEMORY")
                    .disable_statement_logging(),
            )),
        };
        Ok(Stores { address, workers: workers.max(1) })
    }

    async fn newest(&self, status: &str) -> sqlx::Result<Vec<Task>> {
        match self {
            Self::None => Err(sqlx::Error::PoolClosed),
            Self::Postgres(lanes) => {
                let rows = lanes.with(async |connection| sqlx::query(SELECT).bind(status).fetch_all(connection).await);
                rows.await?.into_iter().map(|row| task!(row)).collect()
            }
            Self::Sqlite { readers, .. } => {
                let rows =
                    readers.with(async |connection| sqlx::query(SELECT).bind(status).fetch_all(connection).await);
                rows.await?.into_iter().map(|row| task!(row)).collect()
            }
        }
    }

    async fn store(&self, new: &New) -> sqlx::Result<Task> {
        let New { title, description, status } = new;
        let now = Utc::now().trunc_subsecs(6);
        macro_rules! insert {
            ($lanes:expr) => {{
                let row = $lanes.with(async |connection| {
                    let insert = sqlx::query(INSERT).bind(title).bind(description).bind(status).bind(now);
                    insert.fetch_one(connection).await
                });
                task!(row.await?)
            }};
        }
        match self {
            Self::None => Err(sqlx::Error::PoolClosed),
            Self::Postgres(lanes) => insert!(lanes),
            Self::Sqlite { writer, .. } => insert!(writer),
        }
    }
}

fn is_short(text: &str, most: usize) -> bool {
    !text.is_empty() && is_short_or_empty(text, most)
}

fn is_short_or_empty(text: &str, most: usize) -> bool {
    text.len() <= most || text.chars().count() <= most
}

async fn newest(store: web::Data<Store>, wanted: web::Query<Wanted>) -> actix_web::Result<HttpResponse> {
    answer(&store, &wanted.status).await
}

async fn search(store: web::Data<Store>, search: web::Json<Search>) -> actix_web::Result<HttpResponse> {
    let is_short = |text: &Option<String>, most| text.as_ref().is_none_or(|text| is_short_or_empty(text, most));
    if !is_short(&search.title, 200) || !is_short(&search.description, 2000) {
        return Ok(HttpResponse::UnprocessableEntity().finish());
    }
    answer(&store, &search.status).await
}

async fn answer(store: &Store, status: &str) -> actix_web::Result<HttpResponse> {
    if !is_short(status, 20) {
        return Ok(HttpResponse::UnprocessableEntity().finish());
    }
    let tasks = store.newest(status).await.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().json(tasks))
}

async fn store(store: web::Data<Store>, new: web::Json<New>) -> actix_web::Result<HttpResponse> {
    if !is_short(&new.title, 200) || !is_short_or_empty(&new.description, 2000) || !is_short(&new.status, 20) {
        return Ok(HttpResponse::UnprocessableEntity().finish());
    }
    let task = store.store(&new).await.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().json(task))
}
