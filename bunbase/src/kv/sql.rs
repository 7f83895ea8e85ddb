//! What the two databases have in common.

use std::{collections::HashMap, fmt};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    prelude::async_trait::async_trait,
};

use crate::db::{Db, FromQueryResult, Sql, Tx, sea_orm};

/// What a statement runs on.
pub(super) enum On<'a> {
    Db(Db),
    Tx(&'a DatabaseTransaction),
}

impl<'a> On<'a> {
    pub(super) fn tx(tx: &'a Tx) -> Self {
        Self::Tx(tx.db())
    }

    pub(super) fn sql(&self, text: &'static str) -> Sql<'_, Self> {
        Sql::fixed(self, text)
    }
}

impl fmt::Debug for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Db(_) => "Db",
            Self::Tx(_) => "Tx",
        })
    }
}

#[async_trait]
impl ConnectionTrait for On<'_> {
    fn get_database_backend(&self) -> DbBackend {
        match self {
            Self::Db(db) => db.get_database_backend(),
            Self::Tx(tx) => tx.get_database_backend(),
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Db(db) => db.execute_raw(statement).await,
            Self::Tx(tx) => tx.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Db(db) => db.execute_unprepared(sql).await,
            Self::Tx(tx) => tx.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Db(db) => db.query_one_raw(statement).await,
            Self::Tx(tx) => tx.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Db(db) => db.query_all_raw(statement).await,
            Self::Tx(tx) => tx.query_all_raw(statement).await,
        }
    }
}

/// A key and its value.
#[derive(FromQueryResult)]
pub(super) struct Row {
    key: String,
    value: String,
}

/// Puts the rows that there are into the order of the keys that were asked for.
pub(super) fn in_order(keys: &[String], rows: Vec<Row>) -> Vec<Option<String>> {
    let found: HashMap<_, _> = rows.into_iter().map(|row| (row.key, row.value)).collect();
    keys.iter().map(|key| found.get(key).cloned()).collect()
}
