//! Typed input and output by extractors and serde, with the checks by hand.

use actix_multipart::Multipart;
use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, BytesMut, ServiceConfig},
};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) fn routes(routes: &mut ServiceConfig) {
    routes
        .route("/items/{id}", web::get().to(find_item))
        .route("/tasks", web::post().to(make_task))
        .route("/large", web::post().to(echo_sheet))
        .route("/upload", web::post().to(take_upload));
}

/// Routes that nobody asks for.
pub(super) fn many(routes: &mut ServiceConfig, numbers: std::ops::Range<usize>) {
    for n in numbers {
        let echo = async |id: web::Path<i64>| HttpResponse::Ok().json(*id);
        routes.route(&format!("/many/r{n}/{{id}}"), web::get().to(echo));
    }
}

fn too_long(text: &str, most: usize) -> bool {
    // Most texts are short enough in bytes already.
    text.len() > most && text.chars().count() > most
}

fn refused(why: &str) -> HttpResponse {
    HttpResponse::UnprocessableEntity().body(why.to_owned())
}

#[derive(Deserialize)]
struct Wanted {
    limit: Option<u32>,
    q: Option<String>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: i64,
    tenant: Option<&'a str>,
    limit: u32,
    q: Option<&'a str>,
}

async fn find_item(id: web::Path<i64>, wanted: web::Query<Wanted>, request: HttpRequest) -> HttpResponse {
    let limit = wanted.limit.unwrap_or(20);
    if !(1..=100).contains(&limit) {
        return refused("limit");
    }
    let q = wanted.q.as_deref();
    if q.is_some_and(|q| too_long(q, 100)) {
        return refused("q");
    }
    let tenant = request.headers().get("x-tenant").and_then(|value| value.to_str().ok());
    HttpResponse::Ok().json(Item { id: *id, tenant, limit, q })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Draft {
    title: String,
    description: Option<String>,
    priority: u8,
    tags: Vec<String>,
    assignee_id: Uuid,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Made {
    id: Uuid,
    title: String,
    description: Option<String>,
    priority: u8,
    tags: Vec<String>,
    assignee_id: Uuid,
    status: &'static str,
    created_at: DateTime<Utc>,
}

async fn make_task(draft: web::Json<Draft>) -> HttpResponse {
    let Draft { title, description, priority, tags, assignee_id } = draft.into_inner();
    if title.is_empty() || too_long(&title, 200) {
        return refused("title");
    }
    if description.as_ref().is_some_and(|description| too_long(description, 2000)) {
        return refused("description");
    }
    if !(1..=5).contains(&priority) {
        return refused("priority");
    }
    if tags.len() > 10 {
        return refused("tags");
    }
    HttpResponse::Ok().json(Made {
        id: Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001),
        title,
        description,
        priority,
        tags,
        assignee_id,
        status: "open",
        created_at: DateTime::from_timestamp_nanos(1_790_000_000_000_000_000),
    })
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: i64,
    name: String,
    amount_cents: i64,
    tags: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    lines: Vec<Line>,
}

async fn echo_sheet(sheet: web::Json<Sheet>) -> HttpResponse {
    HttpResponse::Ok().json(sheet.into_inner())
}

#[derive(Serialize)]
struct Uploaded {
    size_bytes: usize,
}

async fn take_upload(mut form: Multipart) -> Result<HttpResponse, actix_multipart::MultipartError> {
    let mut file = None;
    while let Some(mut field) = form.try_next().await? {
        let is_file = field.name() == Some("file");
        let mut bytes = BytesMut::new();
        while let Some(chunk) = field.try_next().await? {
            if bytes.len() + chunk.len() > 10 * 1024 * 1024 {
                return Ok(HttpResponse::PayloadTooLarge().finish());
            }
            bytes.extend_from_slice(&chunk);
        }
        if is_file {
            file = Some(bytes.freeze());
        }
    }
    let answer = file.map(|file| HttpResponse::Ok().json(Uploaded { size_bytes: file.len() }));
    Ok(answer.unwrap_or_else(|| refused("file")))
}
