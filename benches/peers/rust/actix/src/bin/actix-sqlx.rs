//! With SQLx and its pool.

use std::io;

use actix_web::{
    Responder,
    error::ErrorInternalServerError,
    get, post,
    web::{self, Data},
};
use peer_actix::{NewRow, Row, Wanted, check, serve};
use settings::Settings;
use sqlx::{PgPool, postgres::PgPoolOptions};

const READ: &str = "SELECT id, title, description, status, created_at FROM bench_tasks \
                    WHERE status = $1 ORDER BY created_at DESC LIMIT 10";
const WRITE: &str = "INSERT INTO bench_tasks (title, description, status) VALUES ($1, $2, $3) \
                     RETURNING id, title, description, status, created_at";

async fn read(pool: &PgPool, wanted: &Wanted) -> actix_web::Result<web::Json<Vec<Row>>> {
    let rows = sqlx::query_as(READ).bind(&wanted.status).fetch_all(pool).await.map_err(ErrorInternalServerError)?;
    Ok(web::Json(rows))
}

#[get("/db/tasks")]
async fn list(pool: Data<PgPool>, wanted: web::Query<Wanted>) -> actix_web::Result<impl Responder> {
    read(&pool, &wanted).await
}

#[post("/db/tasks/search")]
async fn search(pool: Data<PgPool>, wanted: web::Json<Wanted>) -> actix_web::Result<impl Responder> {
    read(&pool, &wanted).await
}

#[post("/db/tasks")]
async fn create(pool: Data<PgPool>, new: web::Json<NewRow>) -> actix_web::Result<impl Responder> {
    check(&*new)?;
    let row: Row = sqlx::query_as(WRITE)
        .bind(&new.title)
        .bind(&new.description)
        .bind(&new.status)
        .fetch_one(&**pool)
        .await
        .map_err(ErrorInternalServerError)?;
    Ok(web::Json(row))
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = Settings::from_env()?;
    let pool = match &settings.database_url {
        Some(url) => {
            // Its PING before each statement would be a round trip more.
            let options = PgPoolOptions::new().max_connections(settings::CONNECTIONS).test_before_acquire(false);
            Some(Data::new(options.connect(url).await.map_err(io::Error::other)?))
        }
        None => None,
    };
    serve(settings, move |config| {
        if let Some(pool) = &pool {
            config.app_data(pool.clone()).service(list).service(search).service(create);
        }
    })
    .await
}
