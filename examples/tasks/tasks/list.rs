//! Listing tasks: filters, two orders, pages.

use bunbase::{
    db::page::PageError,
    prelude::*,
    sea_orm::{
        ColumnTrait, ConnectionTrait, DbBackend, QueryFilter,
        sea_query::{Expr, SimpleExpr},
    },
};

use super::Task;
use crate::{entity::task, open_project::AnyProject};

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
pub async fn list_tasks(ctx: Ctx, #[guard] _project: AnyProject, input: ListTasks) -> Result<Page<Task>, PageError> {
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
fn has_label(ctx: &Ctx, label: &str) -> SimpleExpr {
    match ctx.db().get_database_backend() {
        DbBackend::Postgres => Expr::cust_with_values("labels @> jsonb_build_array($1::text)", [label]),
        _ => Expr::cust_with_values("EXISTS (SELECT 1 FROM json_each(labels) WHERE value = ?)", [label]),
    }
}
