//! What only the operator may do: a module with a guard.

use bunbase::{
    prelude::*,
    sea_orm::{ActiveModelTrait, IntoActiveModel, Set},
};

use crate::open_project::{MissingProject, find};

bunbase::module!(prefix = "/admin", guards = [api_key()], description = "For the operator, who has an API key.");

/// How much there is.
#[schema]
#[derive(FromQueryResult)]
pub struct Totals {
    /// Projects.
    pub projects: i64,
    /// Tasks that are to be done.
    pub open_tasks: i64,
    /// Tasks that are done.
    pub done_tasks: i64,
}

/// Counts everything.
#[action(get = "/totals")]
pub async fn count_totals(ctx: Ctx) -> Result<Totals> {
    let totals = ctx.sql(
        "SELECT (SELECT count(*) FROM projects) AS projects,
                (SELECT count(*) FROM tasks WHERE done_at IS NULL) AS open_tasks,
                (SELECT count(*) FROM tasks WHERE done_at IS NOT NULL) AS done_tasks",
    );
    totals.one().await
}

/// Archives a project: it stays readable and cannot be changed.
#[action(post = "/projects/{project_id}/archive")]
pub async fn archive_project(ctx: Ctx, #[guard] caller: ApiKey, project_id: i64) -> Result<(), MissingProject> {
    let mut row = find(&ctx, project_id).await?.into_active_model();
    row.archived = Set(true);
    row.update(ctx.db()).await?;
    tracing::info!(project = project_id, by = caller.holder, "archived");
    Ok(())
}
