//! Projects.

use bunbase::{
    prelude::*,
    sea_orm::{ActiveModelTrait, Set, SqlErr},
};

use crate::{
    entity::project,
    open_project::{MissingProject, find},
};

bunbase::module!(prefix = "/projects", description = "Where tasks belong.");

/// Something that tasks belong to.
#[schema]
pub struct Project {
    /// Its number.
    pub id: i64,
    /// Its name, different from those of all others.
    pub name: String,
    /// Whether it is closed for changes.
    pub archived: bool,
    /// When it was created.
    pub created_at: DateTimeUtc,
}

impl From<project::Model> for Project {
    fn from(row: project::Model) -> Self {
        Self { id: row.id, name: row.name, archived: row.archived, created_at: row.created_at }
    }
}

/// Why a project cannot be created.
#[derive(ActionError, Debug)]
pub enum CreateError {
    /// Another project has this name.
    #[error(status = 409, code = "project_exists", "a project named {0:?} exists already")]
    Exists(String),
    #[error(internal)]
    Db(#[from] DbErr),
}

/// Creates a project.
#[action(post = "/", status = 201)]
pub async fn create_project(
    ctx: Ctx,
    /// Its name, different from those of all others.
    #[validate(length(min = 1, max = 100))]
    name: String,
) -> Result<Created<Project>, CreateError> {
    let row = project::ActiveModel {
        name: Set(name.clone()),
        archived: Set(false),
        created_at: Set(now()),
        ..Default::default()
    };
    match row.insert(ctx.db()).await {
        Ok(row) => Ok(Created::at(format!("/projects/{}", row.id), row.into())),
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(CreateError::Exists(name))
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows a project.
#[action(get = "/{project_id}")]
pub async fn show_project(ctx: Ctx, project_id: i64) -> Result<Project, MissingProject> {
    Ok(find(&ctx, project_id).await?.into())
}
