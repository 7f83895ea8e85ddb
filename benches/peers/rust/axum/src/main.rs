//! The endpoints on axum, with serde, validator and SQLx.

use std::io;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use settings::Settings;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use uuid::{Uuid, uuid};
use validator::{Validate, ValidationErrors};

const ID: Uuid = uuid!("0192f0c1-2a3b-7c4d-8e5f-60718293a4b5");
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

const READ: &str = "SELECT id, title, description, status, created_at FROM bench_tasks \
                    WHERE status = $1 ORDER BY created_at DESC LIMIT 10";
const WRITE: &str = "INSERT INTO bench_tasks (title, description, status) VALUES ($1, $2, $3) \
                     RETURNING id, title, description, status, created_at";

#[derive(Deserialize, Validate)]
struct Search {
    #[serde(default = "default_limit")]
    #[validate(range(min = 1, max = 100))]
    limit: u32,
    #[validate(length(max = 100))]
    q: Option<String>,
}

fn default_limit() -> u32 {
    20
}

#[derive(Serialize)]
struct Item {
    id: i64,
    tenant: Option<String>,
    limit: u32,
    q: Option<String>,
}

#[derive(Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewTask {
    #[validate(length(min = 1, max = 200))]
    title: String,
    #[validate(length(max = 2000))]
    description: Option<String>,
    #[validate(range(min = 1, max = 5))]
    priority: u8,
    #[validate(length(max = 10))]
    tags: Vec<String>,
    assignee_id: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    id: Uuid,
    title: String,
    description: Option<String>,
    priority: u8,
    tags: Vec<String>,
    assignee_id: Uuid,
    status: &'static str,
    created_at: &'static str,
}

#[derive(Deserialize)]
struct Wanted {
    status: String,
}

#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct NewRow {
    #[validate(length(min = 1, max = 200))]
    title: String,
    #[validate(length(max = 2000))]
    description: Option<String>,
    status: String,
}

#[derive(Serialize, sqlx::FromRow)]
struct Row {
    id: i64,
    title: String,
    description: Option<String>,
    status: String,
    created_at: DateTime<Utc>,
}

enum Error {
    Invalid(ValidationErrors),
    Header,
    Database(sqlx::Error),
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(errors) => (StatusCode::UNPROCESSABLE_ENTITY, Json(errors)).into_response(),
            Self::Header => StatusCode::BAD_REQUEST.into_response(),
            Self::Database(error) => {
                eprintln!("{error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

impl From<ValidationErrors> for Error {
    fn from(errors: ValidationErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn get_item(Path(id): Path<i64>, Query(search): Query<Search>, headers: HeaderMap) -> Result<Json<Item>, Error> {
    search.validate()?;
    let tenant = headers.get("x-tenant").map(|value| value.to_str()).transpose().map_err(|_| Error::Header)?;
    Ok(Json(Item { id, tenant: tenant.map(str::to_owned), limit: search.limit, q: search.q }))
}

async fn create_task(Json(task): Json<NewTask>) -> Result<Json<Task>, Error> {
    task.validate()?;
    let NewTask { title, description, priority, tags, assignee_id } = task;
    Ok(Json(Task { id: ID, title, description, priority, tags, assignee_id, status: "open", created_at: CREATED_AT }))
}

async fn read(pool: &PgPool, wanted: &Wanted) -> Result<Json<Vec<Row>>, Error> {
    Ok(Json(sqlx::query_as(READ).bind(&wanted.status).fetch_all(pool).await?))
}

async fn list(State(pool): State<PgPool>, Query(wanted): Query<Wanted>) -> Result<Json<Vec<Row>>, Error> {
    read(&pool, &wanted).await
}

async fn search(State(pool): State<PgPool>, Json(wanted): Json<Wanted>) -> Result<Json<Vec<Row>>, Error> {
    read(&pool, &wanted).await
}

async fn create(State(pool): State<PgPool>, Json(new): Json<NewRow>) -> Result<Json<Row>, Error> {
    new.validate()?;
    let row = sqlx::query_as(WRITE).bind(&new.title).bind(&new.description).bind(&new.status).fetch_one(&pool).await?;
    Ok(Json(row))
}

async fn serve(settings: Settings) -> io::Result<()> {
    let mut app = Router::new()
        .route("/_health/live", get(live))
        .route("/items/{id}", get(get_item))
        .route("/tasks", post(create_task));
    if let Some(url) = &settings.database_url {
        // Its PING before each statement would be a round trip more.
        let options = PgPoolOptions::new().max_connections(settings::CONNECTIONS).test_before_acquire(false);
        let pool = options.connect(url).await.map_err(io::Error::other)?;
        let database = Router::new()
            .route("/db/tasks", get(list).post(create))
            .route("/db/tasks/search", post(search))
            .with_state(pool);
        app = app.merge(database);
    }
    let listener = TcpListener::bind(settings.address).await?;
    settings::announce(listener.local_addr()?)?;
    let listener = listener.tap_io(|connection| {
        // A connection that is gone already.
        let _ = connection.set_nodelay(true);
    });
    let mut term = signal(SignalKind::terminate())?;
    let stop = async move {
        term.recv().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await
}

fn main() -> io::Result<()> {
    let settings = Settings::from_env()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(settings.workers).enable_all().build()?;
    runtime.block_on(serve(settings))
}
