//! The commands that look after tenants, and migrations over all of their databases.

use std::fmt::Write as _;

use clap::Subcommand;

use super::{App, Wired, shards, wiring};
use crate::{
    Error, Result,
    clock::Clock,
    config::Config,
    db::Db,
    error::code,
    tenant::{Migrated, TenantId, Tenants},
};

/// What `tenants` does.
#[derive(Debug, Subcommand)]
pub(super) enum TenantsStep {
    /// Lists all tenants; the default.
    List,
    /// Adds a tenant, and makes its schema where it has one.
    Add {
        /// Its id: lower-case letters, digits, `-` and `_`.
        id: TenantId,
        /// The shard of `tenants.shards` that its data is on; the main database unless said.
        #[arg(long, default_value = "")]
        shard: String,
    },
    /// Forgets a tenant. Its data stays.
    Remove {
        /// Its id.
        id: TenantId,
    },
}

/// Opens the tenants of an application.
pub(super) async fn open(app: &App, config: &Config) -> Result<Tenants> {
    let db = Db::open(&wiring::database(config)).await?;
    shards::tenants(config, &db, Clock::system(), &app.migrations).await
}

/// Does what `tenants` says, and returns what to print.
pub(super) async fn run(tenants: &Tenants, step: TenantsStep) -> Result<String> {
    if !tenants.is_on() {
        return Err(Error::new(400, "usage", "`tenants.isolation` is `off`: there are no tenants"));
    }
    match step {
        TenantsStep::List => {
            let mut text = String::new();
            for tenant in tenants.list().await? {
                let shard = if tenant.shard.is_empty() { "-" } else { &tenant.shard };
                // Writing to a `String` cannot fail.
                let _ = writeln!(text, "{:<48}  {shard}", tenant.id);
            }
            Ok(text)
        }
        TenantsStep::Add { id, shard } => {
            let is_new = tenants.add(&id, &shard).await?;
            Ok(if is_new { format!("added  {id}\n") } else { format!("there is a tenant `{id}` already\n") })
        }
        TenantsStep::Remove { id } if tenants.remove(&id).await? => {
            Ok(format!("removed  {id}; its data is still there\n"))
        }
        TenantsStep::Remove { id } => Err(Error::new(404, code::TENANT_UNKNOWN, format!("there is no tenant `{id}`"))),
    }
}

/// Says what came of migrating each place, and fails where one did.
pub(super) fn report(migrated: &[Migrated]) -> Result<String> {
    let mut text = String::new();
    let mut failed = 0;
    for Migrated { place, result } in migrated {
        let _ = match result {
            Ok(applied) if applied.is_empty() => writeln!(text, "{place}: nothing applied"),
            Ok(applied) => writeln!(text, "{place}: applied {}", applied.join(", ")),
            Err(error) => {
                failed += 1;
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
                writeln!(text, "{place}: FAILED: {error}{cause}")
            }
        };
    }
    if failed == 0 {
        return Ok(text);
    }
    let all = migrated.len();
    Err(Error::new(
        500,
        "migration_failed",
        format!("{failed} of {all} databases were not brought up to date:\n{text}"),
    ))
}

impl Wired {
    /// Brings all databases up to date. A shard that fails is told of, and keeps the others from nothing.
    ///
    /// # Errors
    /// Those of the main database.
    pub(crate) async fn migrate(&self) -> Result<()> {
        let tenants = &self.services.tenants;
        if !tenants.is_on() {
            return self.migrations.up(&self.services.db).await.map(drop);
        }
        let mut migrated = tenants.migrate().await.into_iter();
        if let Some(Migrated { result, .. }) = migrated.next() {
            result?;
        }
        for Migrated { place, result } in migrated {
            if let Err(error) = result {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(place, %error, cause, "a database of tenants is not up to date");
            }
        }
        Ok(())
    }

    /// Closes all databases.
    pub(crate) async fn close(&self) {
        for (services, _) in &self.shards {
            services.db.close().await;
        }
        self.services.db.close().await;
    }
}
