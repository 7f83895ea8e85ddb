//! Migrations over all shards and schemas.

use sea_orm::{ConnectionTrait, DbBackend};
use url::Url;

use super::{Isolation, TenantId, Tenants};
use crate::{
    Error, Result,
    db::{Db, Settings, migrate::Plan},
};

/// What migrating one place has come to.
#[derive(Debug)]
pub struct Migrated {
    /// The place: `main`, `shard eu`, `tenant acme`.
    pub place: String,
    /// The migrations that were applied there, or why they were not.
    pub result: Result<Vec<String>>,
}

impl Tenants {
    /// Brings the main database, all shards and all schemas of tenants up to date, one after the other. A place that fails does not keep
    /// the others from it.
    pub async fn migrate(&self) -> Vec<Migrated> {
        let (own, shared) = (&self.0.plan, self.shared_plan());
        // Without tenants, and where they share tables, the application's are in the main database.
        let mut all = vec![Migrated { place: "main".to_owned(), result: self.up(&shared, &self.0.db).await }];
        for (name, db) in self.shards() {
            let plan = if self.isolation() == Isolation::Schema { &shared } else { own };
            all.push(Migrated { place: format!("shard {name}"), result: self.up(plan, db).await });
        }
        if self.isolation() == Isolation::Schema {
            let tenants = match self.list().await {
                Ok(tenants) => tenants,
                Err(error) => {
                    all.push(Migrated { place: "tenants".to_owned(), result: Err(error) });
                    Vec::new()
                }
            };
            for tenant in tenants {
                let result = self.prepare(&tenant.id, &tenant.shard).await;
                all.push(Migrated { place: format!("tenant {}", tenant.id), result });
            }
        }
        all
    }

    /// Returns the plan of a database whose tenants have schemas: the framework's tables are all that they share. A table of the
    /// application there would be found by tenants that have none.
    fn shared_plan(&self) -> Plan {
        match self.isolation() {
            Isolation::Schema => Plan::new(),
            _ => self.0.plan.clone(),
        }
    }

    async fn up(&self, plan: &Plan, db: &Db) -> Result<Vec<String>> {
        let applied = plan.up(db).await?;
        let role = &self.0.settings.role;
        if self.isolation() == Isolation::Rows && !role.is_empty() {
            grant(db, role).await?;
        }
        Ok(applied)
    }

    /// Makes the schema of a tenant, where it has one, and brings it up to date.
    pub(super) async fn prepare(&self, id: &TenantId, shard: &str) -> Result<Vec<String>> {
        if self.isolation() != Isolation::Schema {
            return Ok(Vec::new());
        }
        let db = self.database(shard)?;
        let schema = id.schema();
        db.execute_unprepared(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"")).await?;
        let within = Db::open(&within(db.settings(), &schema)?).await?;
        let applied = self.0.plan.clone().without_framework().up(&within).await;
        within.close().await;
        applied
    }
}

/// Returns the settings of the same database with a schema of its own before all others.
fn within(settings: &Settings, schema: &str) -> Result<Settings> {
    let at = |url: &str| -> Result<String> {
        let mut url = Url::parse(url).map_err(Error::internal)?;
        url.query_pairs_mut().append_pair("options[search_path]", &format!("\"{schema}\",public"));
        Ok(url.into())
    };
    let direct_url = settings.direct_url.as_deref().map(at).transpose()?;
    Ok(Settings {
        url: at(&settings.url)?,
        direct_url,
        max_connections: 1,
        min_connections: 0,
        replicas: Vec::new(),
        ..settings.clone()
    })
}

/// Whether a role is there, and whether this user may become it.
const ROLE: &str =
    "SELECT pg_has_role(current_user, rolname, 'MEMBER') FROM pg_roles WHERE rolname = $1 ORDER BY rolname";

/// What keeps instances that start at once from granting at once, which Postgres refuses. The number is any that nobody else has.
const ALONE: &str = "SELECT pg_advisory_xact_lock(7046029254386353131)";

/// Makes the role that the statements of tenants run as, and lets it use the tables: policies say which rows.
async fn grant(db: &Db, role: &str) -> Result<()> {
    if db.backend() != DbBackend::Postgres {
        return Ok(());
    }
    let quoted = format!("\"{}\"", role.replace('"', "\"\""));
    for (missing, statement) in [
        (None, format!("CREATE ROLE {quoted} NOLOGIN")),
        // Whoever connects must be able to become it.
        (Some(false), format!("GRANT {quoted} TO CURRENT_USER")),
    ] {
        let state = async || -> Result<Option<bool>> {
            let rows: Vec<(bool,)> = db.sql(ROLE).bind(role).columns().await?;
            Ok(rows.first().map(|(is_member,)| *is_member))
        };
        // Another instance may do the same at this moment.
        if state().await? == missing
            && let Err(error) = db.execute_unprepared(&statement).await
            && state().await? == missing
        {
            return Err(error.into());
        }
    }
    db.transaction(async |tx| {
        tx.db().execute_unprepared(ALONE).await?;
        for statement in [
            format!("GRANT USAGE ON SCHEMA public TO {quoted}"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}"),
            format!("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}"),
        ] {
            tx.db().execute_unprepared(&statement).await?;
        }
        Ok(())
    })
    .await
}
