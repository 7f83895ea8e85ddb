//! With tokio-postgres and deadpool.

use std::io;

use actix_web::{
    Responder,
    error::ErrorInternalServerError,
    get, post,
    web::{self, Data},
};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use peer_actix::{NewRow, Row, Wanted, check, serve};
use settings::Settings;
use tokio_postgres::NoTls;

const READ: &str = "SELECT id, title, description, status, created_at FROM bench_tasks \
                    WHERE status = $1 ORDER BY created_at DESC LIMIT 10";
const WRITE: &str = "INSERT INTO bench_tasks (title, description, status) VALUES ($1, $2, $3) \
                     RETURNING id, title, description, status, created_at";

fn row(columns: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    Ok(Row {
        id: columns.try_get(0)?,
        title: columns.try_get(1)?,
        description: columns.try_get(2)?,
        status: columns.try_get(3)?,
        created_at: columns.try_get(4)?,
    })
}

async fn read(pool: &Pool, wanted: &Wanted) -> actix_web::Result<web::Json<Vec<Row>>> {
    let client = pool.get().await.map_err(ErrorInternalServerError)?;
    let statement = client.prepare_cached(READ).await.map_err(ErrorInternalServerError)?;
    let rows = client.query(&statement, &[&wanted.status]).await.map_err(ErrorInternalServerError)?;
    Ok(web::Json(rows.iter().map(row).collect::<Result<_, _>>().map_err(ErrorInternalServerError)?))
}

#[get("/db/tasks")]
async fn list(pool: Data<Pool>, wanted: web::Query<Wanted>) -> actix_web::Result<impl Responder> {
    read(&pool, &wanted).await
}

#[post("/db/tasks/search")]
async fn search(pool: Data<Pool>, wanted: web::Json<Wanted>) -> actix_web::Result<impl Responder> {
    read(&pool, &wanted).await
}

#[post("/db/tasks")]
async fn create(pool: Data<Pool>, new: web::Json<NewRow>) -> actix_web::Result<impl Responder> {
    check(&*new)?;
    let client = pool.get().await.map_err(ErrorInternalServerError)?;
    let statement = client.prepare_cached(WRITE).await.map_err(ErrorInternalServerError)?;
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&new.title, &new.description, &new.status];
    let written = client.query_one(&statement, &values).await.map_err(ErrorInternalServerError)?;
    Ok(web::Json(row(&written).map_err(ErrorInternalServerError)?))
}

#[actix_web::main]
async fn main() -> io::Result<()> {
    let settings = Settings::from_env()?;
    let pool = match &settings.database_url {
        Some(url) => {
            let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let manager = Manager::from_config(url.parse().map_err(io::Error::other)?, NoTls, how);
            let size = settings::CONNECTIONS as usize;
            Some(Data::new(Pool::builder(manager).max_size(size).build().map_err(io::Error::other)?))
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
