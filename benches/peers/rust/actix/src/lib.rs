//! The endpoints on actix-web alone: what a careful team writes by hand with serde and validator. The two programs differ in how they talk
//! to the database.

use std::io;

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, Responder,
    error::{ErrorBadRequest, InternalError},
    get, post, web,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use settings::Settings;
use uuid::{Uuid, uuid};
use validator::Validate;

const ID: Uuid = uuid!("0192f0c1-2a3b-7c4d-8e5f-60718293a4b5");
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

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
struct Item<'a> {
    id: i64,
    tenant: Option<&'a str>,
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

/// Which tasks of the database are wanted.
#[derive(Deserialize)]
pub struct Wanted {
    /// Their status.
    pub status: String,
}

/// A row to be.
#[derive(Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewRow {
    #[validate(length(min = 1, max = 200))]
    pub title: String,
    #[validate(length(max = 2000))]
    pub description: Option<String>,
    pub status: String,
}

/// A row of `bench_tasks`.
#[derive(Serialize, sqlx::FromRow)]
pub struct Row {
    pub id: i64,
    pub title: String,
    pub description: Option<String>,
    pub status: String,
    pub created_at: DateTime<Utc>,
}

/// Refuses what breaks a rule, with every rule that it breaks.
///
/// # Errors
/// 422.
pub fn check(input: &impl Validate) -> actix_web::Result<()> {
    input.validate().map_err(|errors| {
        let response = HttpResponse::UnprocessableEntity().json(&errors);
        InternalError::from_response(errors, response).into()
    })
}

#[get("/_health/live")]
async fn live() -> impl Responder {
    web::Json(json!({ "status": "ok" }))
}

#[get("/items/{id}")]
async fn get_item(
    request: HttpRequest,
    id: web::Path<i64>,
    search: web::Query<Search>,
) -> actix_web::Result<HttpResponse> {
    check(&*search)?;
    let tenant = request.headers().get("x-tenant").map(|value| value.to_str()).transpose().map_err(ErrorBadRequest)?;
    let Search { limit, q } = search.into_inner();
    Ok(HttpResponse::Ok().json(Item { id: id.into_inner(), tenant, limit, q }))
}

#[post("/tasks")]
async fn create_task(task: web::Json<NewTask>) -> actix_web::Result<impl Responder> {
    check(&*task)?;
    let NewTask { title, description, priority, tags, assignee_id } = task.into_inner();
    Ok(web::Json(Task {
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

/// Serves the endpoints, and those that `database` adds, until SIGTERM.
///
/// # Errors
/// The port is taken.
pub async fn serve(
    settings: Settings,
    database: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
) -> io::Result<()> {
    let server = HttpServer::new(move || {
        App::new()
            // It would be 404, as if there were no such route.
            .app_data(web::PathConfig::default().error_handler(|error, _| ErrorBadRequest(error)))
            .service(live)
            .service(get_item)
            .service(create_task)
            .configure(database.clone())
    })
    .workers(settings.workers)
    .shutdown_timeout(1)
    .bind(settings.address)?;
    for address in server.addrs() {
        settings::announce(address)?;
    }
    server.run().await
}
