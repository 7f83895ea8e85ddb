//! A guard of the application's own: the project in the path exists, and may be changed.

use bunbase::{error::InvalidInput, prelude::*};

use crate::entity::project;

/// The project in the path, archived or not. `#[guard] project: AnyProject` hands it to an action.
#[derive(Clone, Debug)]
pub struct AnyProject(pub project::Model);

/// The project in the path, which is not archived.
#[derive(Clone, Debug)]
pub struct OpenProject(pub project::Model);

/// Why there is no such project.
#[derive(ActionError, Debug)]
pub enum MissingProject {
    /// No project has this id.
    #[error(status = 404, code = "project_missing", "project {0} does not exist")]
    Missing(i64),
    #[error(framework)]
    NoId(#[from] InvalidInput),
    #[error(internal)]
    Db(#[from] DbErr),
}

/// Why a project cannot be changed.
#[derive(ActionError, Debug)]
pub enum ClosedProject {
    /// The project is archived.
    #[error(status = 409, code = "project_archived", retry = never, "project {0} is archived")]
    Archived(i64),
    #[error(framework)]
    Missing(#[from] MissingProject),
}

impl Provider for AnyProject {
    type Error = MissingProject;

    async fn provide(ctx: &Ctx) -> Result<Self, MissingProject> {
        Ok(Self(find(ctx, ctx.path_param("project_id")?).await?))
    }
}

impl Provider for OpenProject {
    type Error = ClosedProject;

    async fn provide(ctx: &Ctx) -> Result<Self, ClosedProject> {
        let AnyProject(project) = AnyProject::provide(ctx).await?;
        if project.archived { Err(ClosedProject::Archived(project.id)) } else { Ok(Self(project)) }
    }
}

/// Finds a project.
pub async fn find(ctx: &Ctx, id: i64) -> Result<project::Model, MissingProject> {
    project::Entity::find_by_id(id).one(ctx.db()).await?.ok_or(MissingProject::Missing(id))
}
