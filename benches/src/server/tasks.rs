//! `db-read`, `db-write` and `mixed`: one statement each.

use bunbase::prelude::*;

/// The newest of a status, by the index.
pub(crate) const SELECT: &str = "SELECT id, title, description, status, created_at FROM bench_tasks
    WHERE status = $1 ORDER BY created_at DESC LIMIT 10";
/// One more.
pub(crate) const INSERT: &str =
    "INSERT INTO bench_tasks (title, description, status, created_at) VALUES ($1, $2, $3, $4)
    RETURNING id, title, description, status, created_at";

/// A row.
#[schema]
#[derive(FromQueryResult)]
pub(crate) struct Row {
    id: i64,
    title: String,
    description: String,
    status: String,
    created_at: DateTimeUtc,
}

/// The newest tasks of a status.
#[action(get = "/db/tasks")]
async fn newest_tasks(ctx: Ctx, #[validate(length(min = 1, max = 20))] status: String) -> Result<Vec<Row>> {
    ctx.sql(SELECT).bind(status).all().await
}

/// The same by a POST, for load tools that have one method and one body for all that they send: it takes what storing one takes.
#[action(post = "/db/tasks/search")]
async fn search_tasks(
    ctx: Ctx,
    #[validate(length(min = 1, max = 20))] status: String,
    #[validate(length(max = 200))] title: Option<String>,
    #[validate(length(max = 2000))] description: Option<String>,
) -> Result<Vec<Row>> {
    let _ = (title, description);
    ctx.sql(SELECT).bind(status).all().await
}

/// Stores a task.
#[action(post = "/db/tasks")]
async fn store_task(
    ctx: Ctx,
    #[validate(length(min = 1, max = 200))] title: String,
    #[validate(length(max = 2000))] description: String,
    #[validate(length(min = 1, max = 20))] status: String,
) -> Result<Row> {
    ctx.sql(INSERT).bind(title).bind(description).bind(status).bind(ctx.now()).one().await
}
