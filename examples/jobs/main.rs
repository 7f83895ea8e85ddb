//! An order pipeline: a request stores an order, its job and its event in one transaction; a worker fulfils it, however often it has
//! to try; a receipt follows.
//!
//! Run it with `cargo run --example jobs`, then:
//!
//! ```sh
//! curl -X POST localhost:3000/orders -H 'content-type: application/json' \
//!   -d '{"key": "a-1", "items": [{"sku": "tea", "quantity": 2}]}'
//! curl localhost:3000/orders/a-1
//! curl localhost:3000/orders/a-1/parcel
//! curl localhost:3000/orders/summary
//! ```
//!
//! An item with the sku `flaky` fails now and then and is tried again; one with `broken` always fails, so its order ends among the dead
//! letters. Kill the process in the middle and start it again: with `BUNBASE__QUEUE__LEASE=1s` what was running comes back after a second.

mod fulfil;
mod migrations;
mod orders;
mod receipts;
#[cfg(test)]
mod tests;
mod tracking;

use bunbase::prelude::*;

/// The application, as the server and the tests run it.
fn app() -> App {
    App::new()
        .config("app.name", "jobs")
        .config("app.version", env!("CARGO_PKG_VERSION"))
        .description("Orders, and what becomes of them.")
        .migrations::<migrations::Migrator>()
}

#[bunbase::main]
async fn main() -> Result<()> {
    app().run().await
}
