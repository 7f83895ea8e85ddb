//! Which tenants there are, and where the data of each is.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, FromQueryResult};
use tokio::time::Instant;

use super::{Isolation, Scoping, TenantId};
use crate::{
    Error, Result,
    clock::Clock,
    db::{Db, migrate::Plan, sea_orm},
};

/// How long it is remembered where a tenant's data is.
const REMEMBERED: Duration = Duration::from_secs(5);

/// How many tenants are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// How tenants are kept.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What keeps them apart.
    pub isolation: Isolation,
    /// The role of Postgres that the statements of a tenant run as; empty for the role that connects.
    pub role: String,
}

/// One tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The shard that its data is on; empty for the main database.
    pub shard: String,
    /// Since when there is one.
    pub created_at: DateTime<Utc>,
}

/// The tenants of an application; cheap to clone. Which there are is in the table `tenants` of the main database.
#[derive(Clone)]
pub struct Tenants(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) db: Db,
    pub(super) shards: BTreeMap<String, Db>,
    pub(super) plan: Plan,
    clock: Clock,
    known: Mutex<HashMap<TenantId, (String, Instant)>>,
    /// The shards of which it is known that policies hold there.
    sound: Mutex<HashSet<String>>,
}

#[derive(FromQueryResult)]
struct Row {
    id: String,
    shard: String,
    created_at: DateTime<Utc>,
}

const FIND: &str = "SELECT id, shard, created_at FROM tenants WHERE id = $1 ORDER BY id";
const LIST: &str = "SELECT id, shard, created_at FROM tenants ORDER BY id";
const ADD: &str = "INSERT INTO tenants (id, shard, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
const TAKEN: &str = "SELECT count(*) FROM tenants WHERE shard = $1 AND id <> $2";
const REMOVE: &str = "DELETE FROM tenants WHERE id = $1";

/// Whether a role gets around policies, whatever they say.
const GETS_AROUND: &str = "SELECT rolsuper OR rolbypassrls FROM pg_roles
  WHERE rolname = COALESCE(NULLIF($1, ''), current_user) ORDER BY rolname";

impl Tenants {
    /// Reads tenants from `db`; their data is there or on these shards, by name. `plan` is what a schema or a shard needs.
    pub fn new(settings: Settings, db: Db, clock: Clock, shards: BTreeMap<String, Db>, plan: Plan) -> Self {
        let (known, sound) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { settings, db, shards, plan, clock, known, sound }))
    }

    /// Returns whether there are tenants: then no run touches data without one, unless it says so.
    pub fn is_on(&self) -> bool {
        self.0.settings.isolation != Isolation::Off
    }

    /// Returns what keeps them apart.
    pub fn isolation(&self) -> Isolation {
        self.0.settings.isolation
    }

    /// Returns the shards, by name.
    pub fn shards(&self) -> impl Iterator<Item = (&str, &Db)> {
        self.0.shards.iter().map(|(name, db)| (name.as_str(), db))
    }

    /// Returns the database of a shard; the main one has no name.
    ///
    /// # Errors
    /// 500 `tenant_shard` where none has this name.
    pub fn database(&self, shard: &str) -> Result<&Db> {
        if shard.is_empty() {
            return Ok(&self.0.db);
        }
        self.0.shards.get(shard).ok_or_else(|| {
            let known: Vec<_> = self.0.shards.keys().map(String::as_str).collect();
            let text = format!("there is no shard `{shard}`; `tenants.shards` has: {}", known.join(", "));
            Error::new(500, "tenant_shard", text.clone()).caused_by(text)
        })
    }

    /// Returns the shard of a tenant; `None` where there is no such tenant. It may be 5 s old.
    ///
    /// # Errors
    /// 503 when the main database is away.
    pub async fn find(&self, id: &TenantId) -> Result<Option<String>> {
        if let Some((shard, until)) = self.known().get(id)
            && Instant::now() < *until
        {
            return Ok(Some(shard.clone()));
        }
        let row: Option<Row> = self.0.db.sql(FIND).bind(id.as_str()).optional().await?;
        let Some(Row { shard, .. }) = row else {
            self.known().remove(id);
            return Ok(None);
        };
        let mut known = self.known();
        if known.len() >= MOST_REMEMBERED {
            known.clear();
        }
        known.insert(id.clone(), (shard.clone(), Instant::now() + REMEMBERED));
        Ok(Some(shard))
    }

    /// Returns all tenants, in the order of their ids.
    ///
    /// # Errors
    /// 503 when the main database is away.
    pub async fn list(&self) -> Result<Vec<Tenant>> {
        let rows: Vec<Row> = self.0.db.sql(LIST).all().await?;
        let tenant = |row: Row| {
            let id = row.id.parse().map_err(Error::internal)?;
            Ok(Tenant { id, shard: row.shard, created_at: row.created_at })
        };
        rows.into_iter().map(tenant).collect()
    }

    /// Adds a tenant, whose data is on a shard, or in the main database where that has no name. Its schema is made, where it has one.
    /// Answers whether it is new.
    ///
    /// # Errors
    /// 500 `tenant_shard` for a shard that there is not; 409 `tenant_place` where each tenant has a database of its own and that one is
    /// another's.
    pub async fn add(&self, id: &TenantId, shard: &str) -> Result<bool> {
        self.database(shard)?;
        if self.isolation() == Isolation::Database {
            let taken: i64 = self.0.db.sql(TAKEN).bind(shard).bind(id.as_str()).scalar().await?;
            if taken > 0 || shard.is_empty() {
                let place =
                    if shard.is_empty() { "the main database is no tenant's own" } else { "it is another tenant's" };
                let text =
                    format!("each tenant has a database of its own, and {place}: name a free one of `tenants.shards`");
                return Err(Error::new(409, "tenant_place", text));
            }
        }
        // First its schema: a tenant that is known can be used.
        self.prepare(id, shard).await?;
        let added = self.0.db.sql(ADD).bind(id.as_str()).bind(shard).bind(self.0.clock.now()).execute().await?;
        Ok(added == 1)
    }

    /// Forgets a tenant: it is not let in any more, within 5 s. Its data stays. Answers whether there was one.
    ///
    /// # Errors
    /// 503 when the main database is away.
    pub async fn remove(&self, id: &TenantId) -> Result<bool> {
        let removed = self.0.db.sql(REMOVE).bind(id.as_str()).execute().await? == 1;
        self.known().remove(id);
        Ok(removed)
    }

    /// Returns what the transactions of a tenant begin with, where it is not alone in its database.
    ///
    /// # Errors
    /// 500 `tenant_isolation` where nothing would keep it apart: on SQLite, or for a role that gets around policies.
    pub async fn scoping(&self, id: &TenantId, shard: &str) -> Result<Option<Scoping>> {
        let settings = &self.0.settings;
        match settings.isolation {
            Isolation::Off | Isolation::Database => Ok(None),
            Isolation::Schema => Ok(Some(Scoping::schema(id))),
            Isolation::Rows => {
                self.policies_hold(shard).await?;
                Ok(Some(Scoping::rows(id, &settings.role)))
            }
        }
    }

    async fn policies_hold(&self, shard: &str) -> Result<()> {
        if self.sound().contains(shard) {
            return Ok(());
        }
        let role = &self.0.settings.role;
        let rows: Vec<(bool,)> = self.database(shard)?.sql(GETS_AROUND).bind(role.as_str()).columns().await?;
        let wrong = match rows.first() {
            Some((false,)) => {
                self.sound().insert(shard.to_owned());
                return Ok(());
            }
            Some((true,)) => {
                "the role that statements run as gets around policies: name one in `tenants.role` that is no \
                              superuser and has not BYPASSRLS; `migrate` makes it"
            }
            None => "there is no role as `tenants.role` says; `migrate` makes it",
        };
        Err(Error::new(500, "tenant_isolation", "tenants are not kept apart here, so nothing is shown")
            .caused_by(wrong))
    }

    /// Returns whether the engines can keep tenants apart as it is said.
    ///
    /// # Errors
    /// 500 `configuration` that says what to do.
    pub fn check(&self) -> Result<()> {
        let databases = std::iter::once(&self.0.db).chain(self.0.shards.values());
        let on_sqlite = databases.into_iter().any(|db| db.backend() != DbBackend::Postgres);
        let text = match self.isolation() {
            Isolation::Rows | Isolation::Schema if on_sqlite => {
                "`tenants.isolation` is for Postgres, and SQLite has neither policies nor schemas: write `database` and give each \
                 tenant a file in `tenants.shards`"
            }
            Isolation::Database if self.0.shards.is_empty() => {
                "`tenants.isolation` is `database`, and `tenants.shards` names none: write `[\"acme=sqlite://acme.db\"]`"
            }
            _ => return Ok(()),
        };
        Err(Error::new(500, "configuration", text))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<TenantId, (String, Instant)>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sound(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.sound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenants").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
