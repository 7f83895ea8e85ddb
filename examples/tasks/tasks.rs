//! Tasks of a project.

use bunbase::{
    prelude::*,
    sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, ModelTrait, PaginatorTrait, QueryFilter, Set},
};

use crate::{
    entity::task,
    open_project::{AnyProject, OpenProject},
};

bunbase::module!(prefix = "/projects/{project_id}/tasks", description = "What is to be done in a project.");

/// The most open tasks that a project may hold.
const MOST_OPEN: u64 = 1000;

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
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

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
            let open = task::Entity::find()
                .filter(task::Column::ProjectId.eq(project_id))
                .filter(task::Column::DoneAt.is_null())
                .count(tx.db())
                .await?;
            if open >= MOST_OPEN {
                return Err(CreateError::Limit { max: MOST_OPEN }.into());
            }
            let row = task::ActiveModel {
                project_id: Set(project_id),
                title: Set(title.clone()),
                labels: Set(serde_json::to_value(&labels)?),
                due: Set(due),
                done_at: Set(None),
                created_at: Set(now()),
                ..Default::default()
            };
            Ok(row.insert(tx.db()).await?)
        })
        .await?;
    tracing::debug!(task = row.id, project = project.0.name, source, "created");
    let location = format!("/projects/{project_id}/tasks/{}", row.id);
    Ok(TaskCreated { location, last_task: row.id, task: row.into() })
}

/// Which tasks to list.
#[schema]
pub enum StateFilter {
    /// Those to be done.
    #[serde(rename = "open")]
    Open,
    /// Those that are done.
    #[serde(rename = "done")]
    Done,
}

/// In which order to list them.
#[schema(rename_all = "snake_case")]
pub enum Sort {
    /// The oldest first.
    Created,
    /// By title.
    Title,
}

/// What to list.
#[schema]
pub struct ListTasks {
    /// The project that the tasks belong to.
    #[path]
    pub project_id: i64,
    /// Only tasks that are this far.
    pub state: Option<StateFilter>,
    /// Only tasks with all of these labels.
    #[default]
    #[validate(length(max = 10))]
    pub label: Vec<String>,
    /// In which order.
    #[default(Sort::Created)]
    pub sort: Sort,
    /// How many.
    pub limit: Limit,
    /// Where the page before this one ended: its `next_cursor`.
    pub cursor: Option<Cursor>,
}

/// Lists the tasks of a project, page by page.
#[action(get = "/")]
pub async fn list_tasks(ctx: Ctx, #[guard] _project: AnyProject, input: ListTasks) -> Result<Page<Task>> {
    let mut query = task::Entity::find().filter(task::Column::ProjectId.eq(input.project_id));
    match input.state {
        Some(StateFilter::Open) => query = query.filter(task::Column::DoneAt.is_null()),
        Some(StateFilter::Done) => query = query.filter(task::Column::DoneAt.is_not_null()),
        None => {}
    }
    for label in &input.label {
        query = query.filter(has_label(&ctx, label));
    }
    let order = match input.sort {
        Sort::Created => Keyset::new().asc(task::Column::Id),
        Sort::Title => Keyset::new().asc(task::Column::Title).asc(task::Column::Id),
    };
    Ok(order.page(query, input.limit, input.cursor.as_ref(), ctx.db()).await?.map(Task::from))
}

/// Makes the condition that the list of labels has one. Both databases can look into JSON, each in its own words.
fn has_label(ctx: &Ctx, label: &str) -> bunbase::sea_orm::sea_query::SimpleExpr {
    use bunbase::sea_orm::{ConnectionTrait, DbBackend, sea_query::Expr};
    match ctx.db().get_database_backend() {
        DbBackend::Postgres => Expr::cust_with_values("labels @> jsonb_build_array(?::text)", [label]),
        _ => Expr::cust_with_values("EXISTS (SELECT 1 FROM json_each(labels) WHERE value = ?)", [label]),
    }
}

/// Shows a task.
#[action(get = "/{task_id}")]
pub async fn show_task(ctx: Ctx, #[guard] _project: AnyProject, #[path] project_id: i64, task_id: i64) -> Result<Task, TaskError> {
    Ok(find(&ctx, project_id, task_id).await?.into())
}

/// What to change of a task: what is left out stays as it is, and `due: null` removes the date.
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
        row.labels = Set(serde_json::to_value(labels).map_err(bunbase::Error::from)?);
    }
    if !row.is_changed() {
        return Ok(find(&ctx, project_id, task_id).await?.into());
    }
    match row.update(ctx.db()).await {
        Ok(row) => Ok(row.into()),
        // Deleted by another request in between.
        Err(DbErr::RecordNotUpdated) => Err(TaskError::Missing(task_id)),
        Err(error) => Err(error.into()),
    }
}

/// Deletes a task with its comments.
#[action(delete = "/{task_id}")]
pub async fn delete_task(ctx: Ctx, #[guard] _project: OpenProject, #[path] project_id: i64, task_id: i64) -> Result<(), TaskError> {
    let deleted = find(&ctx, project_id, task_id).await?.delete(ctx.db()).await?;
    if deleted.rows_affected == 0 { Err(TaskError::Missing(task_id)) } else { Ok(()) }
}

/// Finds a task of a project.
pub async fn find(ctx: &Ctx, project_id: i64, task_id: i64) -> Result<task::Model, TaskError> {
    let query = task::Entity::find_by_id(task_id).filter(task::Column::ProjectId.eq(project_id));
    query.one(ctx.db()).await?.ok_or(TaskError::Missing(task_id))
}
