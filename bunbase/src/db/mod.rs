//! The database: one handle over SQLite or Postgres, transactions, raw SQL, pages and migrations.
//!
//! Here: what every room above needs from a database, and nothing that knows an action or a request. [`Db`] and the
//! connection inside [`Tx`] are SeaORM connections, so entities and queries work on them unchanged. Not here: tables of
//! one room (their queries live beside their only caller), the tables' definitions (`migrations`), and what a handler
//! may reach (`context`). May name: `error`, `clock`, `observe`.

mod ask;
mod connection;
mod copy;
mod explain;
mod kept;
mod listener;
pub mod migrate;
pub mod notify;
pub mod operate;
pub mod page;
mod pool;
mod pooler;
mod position;
mod replica;
mod room;
mod scan;
pub mod seed;
mod settings;
mod sql;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transaction;
mod watch;

pub(crate) use ask::{All, Ask, Effect, First};
pub(crate) use copy::{Cells, Rows};
pub use pool::Db;
pub(crate) use position::Position;
pub use replica::ReplicaState;
pub(crate) use room::BESIDE_THE_POOL;
pub use room::Crowded;
pub(crate) use scan::plainly_reads;
pub use sea_orm::{self, DbBackend, DbErr, FromQueryResult};
pub use settings::Settings;
pub use sql::Sql;
pub use transaction::Tx;
pub(crate) use watch::Run;

#[cfg(test)]
mod tests;
