//! A small real service: projects, their tasks, and comments on these.
//!
//! Run it with `cargo run --example tasks`, open `/docs`, and read on in `tasks/mod.rs`.

mod admin;
mod comments;
mod entity;
mod hello;
mod migrations;
mod open_project;
mod projects;
mod tasks;
#[cfg(test)]
mod tests;

use bunbase::prelude::*;

/// The application, as the server and the tests run it.
fn app(keys: ApiKeys) -> App {
    App::new()
        .config("app.name", "tasks")
        .config("app.version", env!("CARGO_PKG_VERSION"))
        .description("Projects, their tasks, and comments on these.")
        .migrations::<migrations::Migrator>()
        .state(keys)
}

#[bunbase::main]
async fn main() -> Result<()> {
    // Without a key nobody may administer, which is the safe default.
    let key = std::env::var("TASKS_API_KEY").unwrap_or_default();
    app(ApiKeys::new().with("operator", &key)).run().await
}
