//! Comments on a task.

use bunbase::{
    db::page::PageError,
    prelude::*,
    sea_orm::{ActiveModelTrait, ColumnTrait, QueryFilter, Set},
};

use crate::{
    entity::comment,
    open_project::{AnyProject, OpenProject},
    tasks::{self, TaskError},
};

bunbase::module!(
    prefix = "/projects/{project_id}/tasks/{task_id}/comments",
    description = "What people say about a task."
);

/// What somebody said about a task.
#[schema]
pub struct Comment {
    /// Its number.
    pub id: i64,
    /// Who said it.
    pub author: String,
    /// What was said.
    pub text: String,
    /// When it was said.
    pub created_at: DateTimeUtc,
}

impl From<comment::Model> for Comment {
    fn from(row: comment::Model) -> Self {
        Self { id: row.id, author: row.author, text: row.text, created_at: row.created_at }
    }
}

/// Comments on a task.
#[action(post = "/", status = 201)]
pub async fn add_comment(
    ctx: Ctx,
    #[guard] _project: OpenProject,
    #[path] project_id: i64,
    #[path] task_id: i64,
    /// Who says it.
    #[validate(length(min = 1, max = 100))]
    author: String,
    /// What to say.
    #[validate(length(min = 1, max = 2000))]
    text: String,
) -> Result<Comment, TaskError> {
    let task = tasks::find(&ctx, project_id, task_id).await?;
    let row = comment::ActiveModel {
        task_id: Set(task.id),
        author: Set(author),
        text: Set(text),
        created_at: Set(now()),
        ..Default::default()
    };
    Ok(row.insert(ctx.db()).await?.into())
}

/// Why comments cannot be listed.
#[derive(ActionError, Debug)]
pub enum ListError {
    #[error(framework)]
    Task(#[from] TaskError),
    #[error(framework)]
    Page(#[from] PageError),
}

/// Lists the comments on a task, the oldest first.
#[action(get = "/")]
pub async fn list_comments(
    ctx: Ctx,
    #[guard] _project: AnyProject,
    #[path] project_id: i64,
    #[path] task_id: i64,
    /// How many.
    limit: Limit,
    /// Where the page before this one ended: its `next_cursor`.
    cursor: Option<Cursor>,
) -> Result<Page<Comment>, ListError> {
    let task = tasks::find(&ctx, project_id, task_id).await?;
    let query = comment::Entity::find().filter(comment::Column::TaskId.eq(task.id));
    let page = Keyset::new().asc(comment::Column::Id).page(query, limit, cursor.as_ref(), ctx.db()).await?;
    Ok(page.map(Comment::from))
}
