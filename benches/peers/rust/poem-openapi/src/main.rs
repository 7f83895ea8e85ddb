//! The endpoints on poem-openapi, with its own validators, and SQLx.

use std::io;

use chrono::{DateTime, Utc};
use poem::{
    EndpointExt, Route, Server,
    error::InternalServerError,
    listener::{Acceptor, Listener, TcpListener},
    web::Data,
};
use poem_openapi::{
    Object, OpenApi, OpenApiService,
    param::{Header, Path, Query},
    payload::Json,
};
use settings::Settings;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::signal::unix::{SignalKind, signal};
use uuid::{Uuid, uuid};

const ID: Uuid = uuid!("0192f0c1-2a3b-7c4d-8e5f-60718293a4b5");
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

const READ: &str = "SELECT id, title, description, status, created_at FROM bench_tasks \
                    WHERE status = $1 ORDER BY created_at DESC LIMIT 10";
const WRITE: &str = "INSERT INTO bench_tasks (title, description, status) VALUES ($1, $2, $3) \
                     RETURNING id, title, description, status, created_at";

#[derive(Object)]
struct Health {
    status: String,
}

#[derive(Object)]
struct Item {
    id: i64,
    tenant: Option<String>,
    limit: u32,
    q: Option<String>,
}

#[derive(Object)]
#[oai(rename_all = "camelCase", deny_unknown_fields)]
struct NewTask {
    #[oai(validator(min_length = 1, max_length = 200))]
    title: String,
    #[oai(validator(max_length = 2000))]
    description: Option<String>,
    #[oai(validator(minimum(value = "1"), maximum(value = "5")))]
    priority: u8,
    #[oai(validator(max_items = 10))]
    tags: Vec<String>,
    assignee_id: Uuid,
}

#[derive(Object)]
#[oai(rename_all = "camelCase")]
struct Task {
    id: Uuid,
    title: String,
    description: Option<String>,
    priority: u8,
    tags: Vec<String>,
    assignee_id: Uuid,
    status: String,
    created_at: String,
}

#[derive(Object)]
struct Wanted {
    status: String,
}

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct NewRow {
    #[oai(validator(min_length = 1, max_length = 200))]
    title: String,
    #[oai(validator(max_length = 2000))]
    description: Option<String>,
    status: String,
}

#[derive(Object, sqlx::FromRow)]
struct Row {
    id: i64,
    title: String,
    description: Option<String>,
    status: String,
    created_at: DateTime<Utc>,
}

struct Api;

#[OpenApi]
impl Api {
    #[oai(path = "/_health/live", method = "get")]
    async fn live(&self) -> Json<Health> {
        Json(Health { status: "ok".to_owned() })
    }

    #[oai(path = "/items/:id", method = "get")]
    async fn get_item(
        &self,
        id: Path<i64>,
        #[oai(default = "default_limit", validator(minimum(value = "1"), maximum(value = "100")))] limit: Query<u32>,
        #[oai(validator(max_length = 100))] q: Query<Option<String>>,
        #[oai(name = "X-Tenant")] tenant: Header<Option<String>>,
    ) -> Json<Item> {
        Json(Item { id: id.0, tenant: tenant.0, limit: limit.0, q: q.0 })
    }

    #[oai(path = "/tasks", method = "post")]
    async fn create_task(&self, task: Json<NewTask>) -> Json<Task> {
        let NewTask { title, description, priority, tags, assignee_id } = task.0;
        Json(Task {
            id: ID,
            title,
            description,
            priority,
            tags,
            assignee_id,
            status: "open".to_owned(),
            created_at: CREATED_AT.to_owned(),
        })
    }
}

fn default_limit() -> u32 {
    20
}

struct Database;

#[OpenApi]
impl Database {
    #[oai(path = "/db/tasks", method = "get")]
    async fn list(&self, pool: Data<&PgPool>, status: Query<String>) -> poem::Result<Json<Vec<Row>>> {
        read(&pool, &status).await
    }

    #[oai(path = "/db/tasks/search", method = "post")]
    async fn search(&self, pool: Data<&PgPool>, wanted: Json<Wanted>) -> poem::Result<Json<Vec<Row>>> {
        read(&pool, &wanted.status).await
    }

    #[oai(path = "/db/tasks", method = "post")]
    async fn create(&self, pool: Data<&PgPool>, new: Json<NewRow>) -> poem::Result<Json<Row>> {
        let row = sqlx::query_as(WRITE)
            .bind(&new.title)
            .bind(&new.description)
            .bind(&new.status)
            .fetch_one(*pool)
            .await
            .map_err(InternalServerError)?;
        Ok(Json(row))
    }
}

async fn read(pool: &PgPool, status: &str) -> poem::Result<Json<Vec<Row>>> {
    Ok(Json(sqlx::query_as(READ).bind(status).fetch_all(pool).await.map_err(InternalServerError)?))
}

async fn serve(settings: Settings) -> io::Result<()> {
    let acceptor = TcpListener::bind(settings.address).into_acceptor().await?;
    let addresses: Vec<_> =
        acceptor.local_addr().iter().filter_map(|address| address.as_socket_addr().copied()).collect();
    let app = match &settings.database_url {
        Some(url) => {
            // Its PING before each statement would be a round trip more.
            let options = PgPoolOptions::new().max_connections(settings::CONNECTIONS).test_before_acquire(false);
            let pool = options.connect(url).await.map_err(io::Error::other)?;
            let service = OpenApiService::new((Api, Database), "tasks", "1.0");
            Route::new().at("/openapi.json", service.spec_endpoint()).nest("/", service).data(pool).boxed()
        }
        None => {
            let service = OpenApiService::new(Api, "tasks", "1.0");
            Route::new().at("/openapi.json", service.spec_endpoint()).nest("/", service).boxed()
        }
    };
    for address in addresses {
        settings::announce(address)?;
    }
    let mut term = signal(SignalKind::terminate())?;
    let stop = async move {
        term.recv().await;
    };
    Server::new_with_acceptor(acceptor).run_with_graceful_shutdown(app, stop, None).await
}

fn main() -> io::Result<()> {
    let settings = Settings::from_env()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(settings.workers).enable_all().build()?;
    runtime.block_on(serve(settings))
}
