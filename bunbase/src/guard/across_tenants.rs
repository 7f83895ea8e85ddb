//! Actions of all tenants.

use std::convert::Infallible;

use super::Guard;
use crate::context::Ctx;

/// The guard's name, by which the document knows that an action needs no tenant.
pub(crate) const NAME: &str = "across_tenants";

/// Lets an action reach what is no tenant's. Made by [`across_tenants`].
#[derive(Clone, Copy, Debug)]
pub struct AcrossTenants;

/// Says that an action is of no tenant: `guards = [across_tenants()]`. It reaches the main database, without what keeps tenants apart: for
/// signing up, for operators, for schedules that look after all of them. Every other action needs a tenant where `tenants.isolation` says
/// that there are any.
///
/// ```
/// use bunbase::prelude::*;
///
/// /// Begins a job for each tenant.
/// #[action(cron = "0 2 * * *", guards = [across_tenants()])]
/// async fn nightly(ctx: Ctx) -> Result<()> {
///     for tenant in ctx.tenants().list().await? {
///         ctx.enqueue(Report::new()).tenant(tenant.id).await?;
///     }
///     Ok(())
/// }
///
/// /// Reports on one tenant.
/// #[action]
/// async fn report(ctx: Ctx) -> Result<()> {
///     tracing::info!(tenant = ?ctx.tenant(), "reporting");
///     Ok(())
/// }
/// ```
pub fn across_tenants() -> AcrossTenants {
    AcrossTenants
}

impl Guard for AcrossTenants {
    type Error = Infallible;

    async fn check(&self, ctx: &Ctx) -> Result<(), Infallible> {
        ctx.go_across_tenants();
        Ok(())
    }

    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn admits_everybody(&self) -> bool {
        true
    }
}
