//! The endpoints on Loco, as its guide has them: controllers, extractors that validate, and entities of SeaORM.

use std::{io, net::SocketAddr, path::Path as FilePath};

use async_trait::async_trait;
use axum::{Router, serve::ListenerExt};
use loco_rs::{
    Error, Result,
    app::{AppContext, Hooks},
    bgworker::Queue,
    boot::{BootResult, ServeParams, StartMode, create_context, run_app, shutdown_signal},
    config::Config,
    controller::{AppRoutes, Routes, extractor::validate::QueryValidate, format},
    environment::Environment,
    prelude::{ActiveModelTrait, JsonValidate, Path, Query, Response, Set, State, get, post},
    task::Tasks,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::json;
use settings::Settings;
use tokio::net::TcpListener;
use uuid::{Uuid, uuid};
use validator::Validate;

const ID: Uuid = uuid!("0192f0c1-2a3b-7c4d-8e5f-60718293a4b5");
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

/// The entity, as `cargo loco db entities` writes it.
mod tasks {
    use sea_orm::entity::prelude::*;
    use serde::Serialize;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize)]
    #[sea_orm(table_name = "bench_tasks")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub title: String,
        pub description: Option<String>,
        pub status: String,
        pub created_at: DateTimeUtc,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

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

async fn live() -> Result<Response> {
    format::json(json!({ "status": "ok" }))
}

async fn get_item(
    Path(id): Path<i64>,
    headers: axum::http::HeaderMap,
    QueryValidate(search): QueryValidate<Search>,
) -> Result<Response> {
    let tenant = headers.get("x-tenant").map(|value| value.to_str()).transpose();
    let tenant = tenant.map_err(|error| Error::BadRequest(error.to_string()))?.map(str::to_owned);
    format::json(Item { id, tenant, limit: search.limit, q: search.q })
}

async fn create_task(JsonValidate(task): JsonValidate<NewTask>) -> Result<Response> {
    let NewTask { title, description, priority, tags, assignee_id } = task;
    format::json(Task {
        id: ID,
        title,
        description,
        priority,
        tags,
        assignee_id,
        status: "open",
        created_at: CREATED_AT,
    })
}

async fn read(ctx: &AppContext, wanted: &Wanted) -> Result<Response> {
    let rows = tasks::Entity::find()
        .filter(tasks::Column::Status.eq(&wanted.status))
        .order_by_desc(tasks::Column::CreatedAt)
        .limit(10)
        .all(&ctx.db)
        .await?;
    format::json(rows)
}

async fn list(State(ctx): State<AppContext>, Query(wanted): Query<Wanted>) -> Result<Response> {
    read(&ctx, &wanted).await
}

async fn search(State(ctx): State<AppContext>, axum::Json(wanted): axum::Json<Wanted>) -> Result<Response> {
    read(&ctx, &wanted).await
}

async fn create(State(ctx): State<AppContext>, JsonValidate(new): JsonValidate<NewRow>) -> Result<Response> {
    let row = tasks::ActiveModel {
        title: Set(new.title),
        description: Set(new.description),
        status: Set(new.status),
        ..Default::default()
    };
    format::json(row.insert(&ctx.db).await?)
}

struct App;

#[async_trait]
impl Hooks for App {
    fn app_name() -> &'static str {
        "loco"
    }

    async fn boot(mode: StartMode, environment: &Environment, config: Config) -> Result<BootResult> {
        run_app::<Self>(&mode, create_context::<Self>(environment, config).await?).await
    }

    fn routes(ctx: &AppContext) -> AppRoutes {
        let mut routes = Routes::new()
            .add("/_health/live", get(live))
            .add("/items/{id}", get(get_item))
            .add("/tasks", post(create_task));
        if ctx.config.database.uri.starts_with("postgres") {
            routes = routes.add("/db/tasks", get(list).post(create)).add("/db/tasks/search", post(search));
        }
        AppRoutes::empty().add_route(routes)
    }

    /// As by default, but for any free port, and without waiting for acknowledgements, as the other peers.
    async fn serve(app: Router, _: &AppContext, at: &ServeParams) -> Result<()> {
        let listener = TcpListener::bind(format!("{}:{}", at.binding, at.port)).await?;
        settings::announce(listener.local_addr()?)?;
        let listener = listener.tap_io(|connection| {
            // A connection that is gone already.
            let _ = connection.set_nodelay(true);
        });
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        Ok(axum::serve(listener, service).with_graceful_shutdown(shutdown_signal()).await?)
    }

    async fn connect_workers(_: &AppContext, _: &Queue) -> Result<()> {
        Ok(())
    }

    fn register_tasks(_: &mut Tasks) {}

    async fn truncate(_: &AppContext) -> Result<()> {
        Ok(())
    }

    async fn seed(_: &AppContext, _: &FilePath) -> Result<()> {
        Ok(())
    }
}

/// What would be in `config/production.yaml`.
fn config(settings: &Settings) -> serde_json::Result<Config> {
    serde_json::from_value(json!({
        "logger": { "enable": true, "level": "error", "format": "json" },
        "server": { "binding": settings.address.ip(), "port": settings.address.port(), "host": "http://127.0.0.1" },
        // There are no jobs.
        "workers": { "mode": "ForegroundBlocking" },
        "database": {
            // It wants one in any case.
            "uri": settings.database_url.as_deref().unwrap_or("sqlite::memory:"),
            "enable_logging": false,
            "min_connections": 1,
            "max_connections": settings::CONNECTIONS,
            "connect_timeout": 5000,
            "idle_timeout": 60_000,
        },
    }))
}

async fn serve(settings: Settings) -> Result<()> {
    let config = config(&settings)?;
    let at = ServeParams { port: config.server.port, binding: config.server.binding.clone() };
    let BootResult { router, app_context, .. } =
        App::boot(StartMode::ServerOnly, &Environment::Production, config).await?;
    App::serve(router.unwrap_or_default(), &app_context, &at).await
}

fn main() -> io::Result<()> {
    let settings = Settings::from_env()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(settings.workers).enable_all().build()?;
    runtime.block_on(serve(settings)).map_err(io::Error::other)
}
