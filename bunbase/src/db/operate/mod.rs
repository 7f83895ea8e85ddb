//! What an operator asks of a database, or does to it, from the command line.
//!
//! Here: plans of statements, the slowest of them, what a server says of itself and of its tables, copies of a SQLite file and what
//! Postgres's own tools are to be told, and entities written from the live tables. Not here: the commands (`app`), and the tables of other rooms.

mod backup;
#[cfg(feature = "entity")]
mod entities;
mod explain;
mod restore;
mod server;
mod slow;
mod tables;

pub use backup::backup;
#[cfg(feature = "entity")]
pub use entities::{Entities, entities};
pub use explain::explain;
pub use restore::restore;
pub use server::{Address, Scanned, Server, ServerSetting, Unindexed, Unused, address, server, unindexed};
pub use slow::{SlowStatement, slow};
