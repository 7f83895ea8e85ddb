//! A catalogue that is read often and changed now and then: kept answers with HTTP caching headers, a limit for each client, reads
//! from a replica.
//!
//! Run it with `cargo run --example catalog`, then:
//!
//! ```sh
//! curl -i localhost:3000/catalog/tea-green
//! curl -i localhost:3000/catalog/tea-green -H 'if-none-match: W/"…"'   # the ETag of the first answer: 304
//! curl -i -X POST localhost:3000/catalog/quote -H 'content-type: application/json' -d '{"sku": "tea-green", "quantity": 3}'
//! curl -X PUT localhost:3000/catalog/tea-green -H 'x-api-key: let-me-edit-please' \
//!   -H 'content-type: application/json' -d '{"name": "Green tea", "price_cents": 690}'
//! ```
//!
//! The fifty-first quote within a minute is 429, with `Retry-After`. A change is seen at once: it invalidates what is kept.
//!
//! To run several instances set `DATABASE_URL` (Postgres) and `REDIS_URL`: they share what is kept and what is counted.
//! `DATABASE_READ_URL` names a replica, which then answers what is read. Behind a proxy set `http.trusted_proxies`, so that
//! each client has a limit of its own.

mod migrations;
mod products;
#[cfg(test)]
mod tests;

use bunbase::prelude::*;

/// The application, as the server and the tests run it.
fn app() -> App {
    App::new()
        .config("app.name", "catalog")
        .config("app.version", env!("CARGO_PKG_VERSION"))
        .description("Products, their prices, and quotes.")
        .migrations::<migrations::Migrator>()
        // A real one comes from the environment, and is longer.
        .state(ApiKeys::new().with("editor", "let-me-edit-please"))
}

#[bunbase::main]
async fn main() -> Result<()> {
    app().run().await
}
