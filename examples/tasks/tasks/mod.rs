//! Tasks of a project.
//!
//! Here: what a task is, showing it and deleting it. The other actions have a file each: `create`, `list`, `update`. All of
//! them are below the one `module!`.

mod create;
mod list;
mod update;

use bunbase::{
    prelude::*,
    sea_orm::{ColumnTrait, ModelTrait, QueryFilter},
};

#[cfg(test)]
pub use self::create::{CreateError, CreateTask, MOST_OPEN};
use crate::{
    entity::task,
    open_project::{AnyProject, OpenProject},
};

bunbase::module!(prefix = "/projects/{project_id}/tasks", description = "What is to be done in a project.");

/// A unit of work.
#[schema]
pub struct Task {
    /// Its number.
    pub id: i64,
    /// The project that it belongs to.
    pub project_id: i64,
    /// What is to be done.
    pub title: String,
    /// How far it is.
    pub state: State,
    /// When it should be done.
    pub due: Option<DateTimeUtc>,
    /// Words to find it by.
    pub labels: Vec<String>,
    /// When it was created.
    pub created_at: DateTimeUtc,
}

/// How far a task is.
#[schema(tag = "kind", rename_all = "snake_case")]
pub enum State {
    /// It is to be done.
    Open,
    /// It is done.
    Done {
        /// Since when.
        at: DateTimeUtc,
    },
}

impl From<task::Model> for Task {
    fn from(row: task::Model) -> Self {
        Self {
            id: row.id,
            project_id: row.project_id,
            title: row.title,
            state: row.done_at.map_or(State::Open, |at| State::Done { at }),
            due: row.due,
            // Written by this service only, as a list of strings.
            labels: serde_json::from_value(row.labels).unwrap_or_default(),
            created_at: row.created_at,
        }
    }
}

/// Why a task cannot be had or changed.
#[derive(ActionError, Debug)]
pub enum TaskError {
    /// The project has no task with this id.
    #[error(status = 404, code = "task_missing", "task {0} does not exist in this project")]
    Missing(i64),
    #[error(internal)]
    Db(#[from] DbErr),
}

/// Shows a task.
#[action(get = "/{task_id}")]
pub async fn show_task(
    ctx: Ctx,
    #[guard] _project: AnyProject,
    #[path] project_id: i64,
    task_id: i64,
) -> Result<Task, TaskError> {
    Ok(find(&ctx, project_id, task_id).await?.into())
}

/// Deletes a task with its comments.
#[action(delete = "/{task_id}")]
pub async fn delete_task(
    ctx: Ctx,
    #[guard] _project: OpenProject,
    #[path] project_id: i64,
    task_id: i64,
) -> Result<(), TaskError> {
    let deleted = find(&ctx, project_id, task_id).await?.delete(ctx.db()).await?;
    if deleted.rows_affected == 0 { Err(TaskError::Missing(task_id)) } else { Ok(()) }
}

/// Finds a task of a project.
pub async fn find(ctx: &Ctx, project_id: i64, task_id: i64) -> Result<task::Model, TaskError> {
    let query = task::Entity::find_by_id(task_id).filter(task::Column::ProjectId.eq(project_id));
    query.one(ctx.db()).await?.ok_or(TaskError::Missing(task_id))
}
