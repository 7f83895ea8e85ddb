//! The doors beside HTTP, and what all of them share: one path, one set of guards, one record.

mod calls;
mod compute;
mod enqueue;
mod retries;

pub use super::http::soon;
