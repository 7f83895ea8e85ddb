//! The few words in which the two engines differ.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// The words of one engine. Types of columns are what SeaORM reads and writes there.
#[derive(Clone, Copy)]
pub(crate) struct Dialect {
    pub(crate) uuid: &'static str,
    pub(crate) time: &'static str,
    /// Text that is only ever compared for being the same: not by the rules of a language, which take long.
    pub(crate) ids: &'static str,
    pub(crate) boolean: &'static str,
    pub(crate) no: &'static str,
    pub(crate) bytes: &'static str,
    /// A primary key that counts up.
    pub(crate) counter: &'static str,
    /// How a table is stored whose rows change often: room in each page for the next version of a row, a cleaner that
    /// does not wait for a fifth of a large table to be dead, and pages that stay when they are empty.
    pub(crate) storage: &'static str,
    /// How a table is stored whose rows are in the order of its key: in the key's index, and not beside it.
    pub(crate) keyed: &'static str,
    /// Whether the plan of a statement outlives what the tables were like when it was made.
    pub(crate) keeps_plans: bool,
    /// Whether a table can be made of parts, so that a month of it can be dropped at once.
    pub(crate) has_partitions: bool,
}

const SQLITE: Dialect = Dialect {
    uuid: "BLOB",
    time: "TEXT",
    ids: "TEXT",
    boolean: "BOOLEAN",
    no: "0",
    bytes: "BLOB",
    counter: "INTEGER PRIMARY KEY AUTOINCREMENT",
    storage: "",
    keyed: " WITHOUT ROWID",
    keeps_plans: false,
    has_partitions: false,
};

const POSTGRES: Dialect = Dialect {
    uuid: "UUID",
    time: "TIMESTAMPTZ",
    ids: "TEXT COLLATE \"C\"",
    boolean: "BOOLEAN",
    no: "FALSE",
    bytes: "BYTEA",
    counter: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    storage: " WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, \
              vacuum_truncate = false)",
    keyed: "",
    keeps_plans: true,
    has_partitions: true,
};

/// Runs the statements of an engine, in order.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: fn(Dialect) -> Vec<String>) -> Result<(), DbErr> {
    let dialect = match manager.get_database_backend() {
        DbBackend::Postgres => POSTGRES,
        _ => SQLITE,
    };
    for statement in statements(dialect) {
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}
