//! The databases of tenants.

use std::collections::BTreeMap;

use super::wiring;
use crate::{
    Error, Result,
    clock::Clock,
    config::{Config, TenantIsolation},
    db::{Db, migrate::Plan},
    tenant::{Isolation, Settings, TenantId, Tenants},
};

/// Opens the tenants of an application over its main database. `plan` is what a schema or a shard needs.
///
/// # Errors
/// As [`open`], and 500 `configuration` where the engines cannot keep tenants apart as it is said.
pub(super) async fn tenants(config: &Config, db: &Db, clock: Clock, plan: &Plan) -> Result<Tenants> {
    let tenants = Tenants::new(settings(config), db.clone(), clock, open(config).await?, plan.clone());
    tenants.check()?;
    Ok(tenants)
}

/// Says how tenants are kept apart.
fn settings(config: &Config) -> Settings {
    let isolation = match config.tenants.isolation {
        TenantIsolation::Off => Isolation::Off,
        TenantIsolation::Rows => Isolation::Rows,
        TenantIsolation::Schema => Isolation::Schema,
        TenantIsolation::Database => Isolation::Database,
    };
    Settings { isolation, role: config.tenants.role.clone() }
}

/// Opens all shards. Their pools are at most `tenants.max_connections` together, with at least one connection each.
///
/// # Errors
/// 500 `configuration` for what is no `NAME=URL`, and what opening a database fails with.
async fn open(config: &Config) -> Result<BTreeMap<String, Db>> {
    let mut shards = BTreeMap::new();
    if config.tenants.isolation == TenantIsolation::Off {
        return Ok(shards);
    }
    let count = u32::try_from(config.tenants.shards.len()).unwrap_or(u32::MAX).max(1);
    let each = (config.tenants.max_connections / count).max(1);
    for (index, text) in config.tenants.shards.iter().enumerate() {
        let wrong =
            |text: String| Error::new(500, "configuration", format!("entry {} of `tenants.shards` {text}", index + 1));
        // Neither is repeated: an address may have a password.
        let entry = text.expose().split_once('=');
        let Some((name, url)) = entry else {
            return Err(wrong("is no `NAME=URL`: write one like `eu=postgres://db.eu/app`".to_owned()));
        };
        let name = name.trim().parse::<TenantId>().map_err(|_| {
            wrong("has no name: write lower-case letters, digits, `-` and `_` before the `=`".to_owned())
        })?;
        let main = wiring::database(config);
        let settings = crate::db::Settings {
            url: url.trim().to_owned(),
            max_connections: each,
            min_connections: 0,
            replicas: Vec::new(),
            direct_url: None,
            ..main
        };
        if shards.insert(name.to_string(), Db::open(&settings).await?).is_some() {
            return Err(wrong(format!("is named `{name}`, as another one is")));
        }
    }
    Ok(shards)
}
