//! The tables, as SeaORM sees them.

pub mod comment;
pub mod project;
pub mod task;
