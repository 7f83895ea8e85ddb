//! Changing a task: what is left out stays.

use bunbase::{
    prelude::*,
    sea_orm::{ActiveModelTrait, IntoActiveModel, Set},
};
use serde_json::json;

use super::{Task, TaskError, find};
use crate::open_project::OpenProject;

/// Changes a task.
///
/// What is left out stays as it is, and `due: null` removes the date.
#[action(patch = "/{task_id}")]
pub async fn update_task(
    ctx: Ctx,
    #[guard] _project: OpenProject,
    #[path] project_id: i64,
    task_id: i64,
    /// What is to be done.
    #[validate(length(min = 1, max = 200))]
    title: Option<String>,
    /// Whether it is done.
    done: Option<bool>,
    /// When it should be done.
    due: Patch<DateTimeUtc>,
    /// Words to find it by.
    #[validate(length(max = 10), each(length(min = 1, max = 50)))]
    labels: Option<Vec<String>>,
) -> Result<Task, TaskError> {
    let row = find(&ctx, project_id, task_id).await?;
    let was_done = row.done_at.is_some();
    let mut row = row.into_active_model();
    if let Some(title) = title {
        row.title = Set(title);
    }
    if let Some(done) = done
        && done != was_done
    {
        row.done_at = Set(done.then(now));
    }
    if let Some(due) = due.into_option() {
        row.due = Set(due);
    }
    if let Some(labels) = labels {
        row.labels = Set(json!(labels));
    }
    match row.update(ctx.db()).await {
        Ok(row) => Ok(row.into()),
        // Deleted by another request in between.
        Err(DbErr::RecordNotUpdated) => Err(TaskError::Missing(task_id)),
        Err(error) => Err(error.into()),
    }
}
