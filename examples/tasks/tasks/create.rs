//! Creating a task: a transaction, a header and a cookie.

use bunbase::{
    prelude::*,
    sea_orm::{ActiveModelTrait, ColumnTrait, PaginatorTrait, QueryFilter, QuerySelect, Set},
};
use serde_json::json;

use super::Task;
use crate::{
    entity::{project, task},
    open_project::OpenProject,
};

/// The most open tasks that a project may hold.
pub const MOST_OPEN: u64 = 1000;

/// Why a task cannot be created.
#[derive(ActionError, Debug)]
pub enum CreateError {
    /// The project is full.
    #[error(status = 409, code = "task_limit", retry = never, "a project holds at most {max} open tasks")]
    Limit { max: u64 },
    #[error(internal)]
    Db(#[from] DbErr),
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

/// What creating a task answers.
#[schema]
pub struct TaskCreated {
    /// The new task.
    #[body]
    pub task: Task,
    /// Where it is.
    #[header("Location")]
    pub location: String,
    /// Its number, for a page that wants to show it again.
    #[cookie("last_task", http_only, same_site = "strict", max_age = "7d")]
    pub last_task: i64,
}

/// Creates a task in a project.
///
/// The project must not be archived, and holds at most 1000 open tasks.
#[action(post = "/", status = 201)]
pub async fn create_task(
    ctx: Ctx,
    #[guard] project: OpenProject,
    #[path] project_id: i64,
    /// What is to be done.
    #[validate(length(min = 1, max = 200))]
    title: String,
    /// When it should be done.
    due: Option<DateTimeUtc>,
    /// Words to find it by.
    #[default]
    #[validate(length(max = 10), each(length(min = 1, max = 50)))]
    labels: Vec<String>,
    /// The tool that the task comes from, for the log.
    #[header("X-Request-Source")]
    source: Option<String>,
) -> Result<TaskCreated, CreateError> {
    let row = ctx
        .transaction(async |tx| {
            // One at a time in a project, or two would both take its last place.
            project::Entity::find_by_id(project_id).lock_exclusive().one(tx.db()).await?;
            let open = task::Entity::find()
                .filter(task::Column::ProjectId.eq(project_id))
                .filter(task::Column::DoneAt.is_null())
                .count(tx.db())
                .await?;
            if open >= MOST_OPEN {
                return Ok(None);
            }
            let row = task::ActiveModel {
                project_id: Set(project_id),
                title: Set(title.clone()),
                labels: Set(json!(labels)),
                due: Set(due),
                done_at: Set(None),
                created_at: Set(now()),
                ..Default::default()
            };
            Ok(Some(row.insert(tx.db()).await?))
        })
        .await?
        .ok_or(CreateError::Limit { max: MOST_OPEN })?;
    tracing::debug!(task = row.id, project = project.0.name, source, "created");
    let location = format!("/projects/{project_id}/tasks/{}", row.id);
    Ok(TaskCreated { location, last_task: row.id, task: row.into() })
}
