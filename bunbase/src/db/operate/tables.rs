//! Which tables are the framework's.

use std::collections::HashSet;

use crate::{
    Result,
    db::{Db, Settings, migrate::Plan},
};

/// Returns the names of the framework's tables: those that its migrations make.
pub(super) async fn framework_tables() -> Result<HashSet<String>> {
    let db = Db::open(&Settings::new("sqlite::memory:")).await?;
    Plan::new().up(&db).await?;
    let names: Vec<(String,)> =
        db.sql("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").columns().await?;
    db.close().await;
    Ok(names.into_iter().map(|(name,)| name).collect())
}

/// Returns whether a table, which may have its schema before it, is one of these or a part of one (`action_runs_2026_11`).
pub(super) fn is_framework(own: &HashSet<String>, table: &str) -> bool {
    let name = table.rsplit_once('.').map_or(table, |(_, name)| name).trim_matches('"');
    let is_part = |parent: &&String| {
        let rest = name.strip_prefix(parent.as_str()).and_then(|rest| rest.strip_prefix('_'));
        rest.is_some_and(|rest| rest == "default" || rest.starts_with(|sign: char| sign.is_ascii_digit()))
    };
    own.contains(name) || own.iter().any(|parent| is_part(&parent))
}
