//! The endpoints on dropshot, with validator and SQLx.

use std::error::Error;

use chrono::{DateTime, Utc};
use dropshot::{
    ApiDescription, Body, ConfigDropshot, ConfigLogging, ConfigLoggingLevel, Header, HttpError, HttpResponseOk, Path,
    Query, RequestContext, ServerBuilder, TypedBody, endpoint,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use settings::Settings;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::signal::unix::{SignalKind, signal};
use uuid::{Uuid, uuid};
use validator::Validate;

const ID: Uuid = uuid!("0192f0c1-2a3b-7c4d-8e5f-60718293a4b5");
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

const READ: &str = "SELECT id, title, description, status, created_at FROM bench_tasks \
                    WHERE status = $1 ORDER BY created_at DESC LIMIT 10";
const WRITE: &str = "INSERT INTO bench_tasks (title, description, status) VALUES ($1, $2, $3) \
                     RETURNING id, title, description, status, created_at";

/// What the endpoints share.
struct Server {
    document: String,
    pool: Option<PgPool>,
}

type Answer<T> = Result<HttpResponseOk<T>, HttpError>;

#[derive(Serialize, JsonSchema)]
struct Health {
    status: &'static str,
}

#[derive(Deserialize, JsonSchema)]
struct ItemPath {
    id: i64,
}

#[derive(Deserialize, JsonSchema)]
struct TenantHeader {
    #[serde(rename = "x-tenant")]
    tenant: Option<String>,
}

#[derive(Deserialize, JsonSchema, Validate)]
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

#[derive(Serialize, JsonSchema)]
struct Item {
    id: i64,
    tenant: Option<String>,
    limit: u32,
    q: Option<String>,
}

#[derive(Deserialize, JsonSchema, Validate)]
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

#[derive(Serialize, JsonSchema)]
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

#[derive(Deserialize, JsonSchema)]
struct Wanted {
    status: String,
}

#[derive(Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
struct NewRow {
    #[validate(length(min = 1, max = 200))]
    title: String,
    #[validate(length(max = 2000))]
    description: Option<String>,
    status: String,
}

#[derive(Serialize, JsonSchema, sqlx::FromRow)]
struct Row {
    id: i64,
    title: String,
    description: Option<String>,
    status: String,
    created_at: DateTime<Utc>,
}

/// Refuses what breaks a rule: dropshot writes the rules of schemars into its document and does not check them.
fn check(input: &impl Validate) -> Result<(), HttpError> {
    input.validate().map_err(|errors| HttpError::for_bad_request(None, errors.to_string()))
}

fn failed(error: impl ToString) -> HttpError {
    HttpError::for_internal_error(error.to_string())
}

#[endpoint { method = GET, path = "/_health/live" }]
async fn live(_server: RequestContext<Server>) -> Answer<Health> {
    Ok(HttpResponseOk(Health { status: "ok" }))
}

#[endpoint { method = GET, path = "/openapi.json", unpublished = true }]
async fn openapi(server: RequestContext<Server>) -> Result<http::Response<Body>, HttpError> {
    let document = server.context().document.clone();
    http::Response::builder().header("content-type", "application/json").body(document.into()).map_err(failed)
}

#[endpoint { method = GET, path = "/items/{id}" }]
async fn get_item(
    _server: RequestContext<Server>,
    path: Path<ItemPath>,
    search: Query<Search>,
    headers: Header<TenantHeader>,
) -> Answer<Item> {
    let search = search.into_inner();
    check(&search)?;
    let Search { limit, q } = search;
    Ok(HttpResponseOk(Item { id: path.into_inner().id, tenant: headers.into_inner().tenant, limit, q }))
}

#[endpoint { method = POST, path = "/tasks" }]
async fn create_task(_server: RequestContext<Server>, task: TypedBody<NewTask>) -> Answer<Task> {
    let task = task.into_inner();
    check(&task)?;
    let NewTask { title, description, priority, tags, assignee_id } = task;
    Ok(HttpResponseOk(Task {
        id: ID,
        title,
        description,
        priority,
        tags,
        assignee_id,
        status: "open",
        created_at: CREATED_AT,
    }))
}

/// Without a database its endpoints are not registered; the error is for whoever changes that.
fn pool(server: &RequestContext<Server>) -> Result<&PgPool, HttpError> {
    server.context().pool.as_ref().ok_or_else(|| failed("no database"))
}

async fn read(pool: &PgPool, wanted: Wanted) -> Answer<Vec<Row>> {
    Ok(HttpResponseOk(sqlx::query_as(READ).bind(wanted.status).fetch_all(pool).await.map_err(failed)?))
}

#[endpoint { method = GET, path = "/db/tasks" }]
async fn list_rows(server: RequestContext<Server>, wanted: Query<Wanted>) -> Answer<Vec<Row>> {
    read(pool(&server)?, wanted.into_inner()).await
}

#[endpoint { method = POST, path = "/db/tasks/search" }]
async fn search_rows(server: RequestContext<Server>, wanted: TypedBody<Wanted>) -> Answer<Vec<Row>> {
    read(pool(&server)?, wanted.into_inner()).await
}

#[endpoint { method = POST, path = "/db/tasks" }]
async fn create_row(server: RequestContext<Server>, new: TypedBody<NewRow>) -> Answer<Row> {
    let new = new.into_inner();
    check(&new)?;
    let row = sqlx::query_as(WRITE).bind(new.title).bind(new.description).bind(new.status);
    Ok(HttpResponseOk(row.fetch_one(pool(&server)?).await.map_err(failed)?))
}

async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    let mut api = ApiDescription::new();
    api.register(live)?;
    api.register(openapi)?;
    api.register(get_item)?;
    api.register(create_task)?;
    let pool = match &settings.database_url {
        Some(url) => {
            api.register(list_rows)?;
            api.register(search_rows)?;
            api.register(create_row)?;
            // Its PING before each statement would be a round trip more.
            let options = PgPoolOptions::new().max_connections(settings::CONNECTIONS).test_before_acquire(false);
            Some(options.connect(url).await?)
        }
        None => None,
    };
    let document = serde_json::to_string(&api.openapi("tasks", semver::Version::new(1, 0, 0)).json()?)?;
    let log = ConfigLogging::StderrTerminal { level: ConfigLoggingLevel::Error }.to_logger("tasks")?;
    let config = ConfigDropshot {
        bind_address: settings.address,
        // A task may be longer than the 1 KiB that it takes otherwise.
        default_request_body_max_bytes: 64 * 1024,
        ..ConfigDropshot::default()
    };
    let server = ServerBuilder::new(api, Server { document, pool }, log).config(config).start()?;
    settings::announce(server.local_addr())?;
    signal(SignalKind::terminate())?.recv().await;
    Ok(server.close().await?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(settings.workers).enable_all().build()?;
    runtime.block_on(serve(settings))?;
    Ok(())
}
