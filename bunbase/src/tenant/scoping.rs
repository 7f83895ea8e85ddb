//! What makes a transaction that of one tenant.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::TenantId;

/// How tenants are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// There are none.
    #[default]
    Off,
    /// In shared tables, whose policies show each its own rows. Postgres only.
    Rows,
    /// In schemas of their own. Postgres only.
    Schema,
    /// In databases of their own.
    Database,
}

/// What every transaction of a tenant begins with. It holds until the transaction ends, and never for the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scoping {
    name: &'static str,
    value: String,
    role: Option<String>,
}

/// Sets one setting for the transaction.
const SET: &str = "SELECT set_config($1, $2, TRUE)";

/// Sets one, and the role that statements run as.
const SET_WITH_ROLE: &str = "SELECT set_config($1, $2, TRUE), set_config('role', $3, TRUE)";

impl Scoping {
    /// Shows the rows of one tenant, to a role that has no way around policies.
    pub(super) fn rows(tenant: &TenantId, role: &str) -> Self {
        let role = Some(role.to_owned()).filter(|role| !role.is_empty());
        Self { name: "app.tenant", value: tenant.to_string(), role }
    }

    /// Looks for tables in the schema of one tenant, and then among those that all share.
    pub(super) fn schema(tenant: &TenantId) -> Self {
        Self { name: "search_path", value: format!("\"{}\", public", tenant.schema()), role: None }
    }

    /// Makes the transaction of this connection the tenant's.
    ///
    /// # Errors
    /// Those of the database; a role that this user may not become is one.
    pub(crate) async fn begin(&self, transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
        let (name, value) = (self.name.into(), self.value.as_str().into());
        let statement = match &self.role {
            None => Statement::from_sql_and_values(DbBackend::Postgres, SET, [name, value]),
            Some(role) => {
                Statement::from_sql_and_values(DbBackend::Postgres, SET_WITH_ROLE, [name, value, role.as_str().into()])
            }
        };
        transaction.query_one_raw(statement).await.map(drop)
    }
}
