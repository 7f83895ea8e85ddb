//! People who sign up, sign in by a cookie, and are let in by their role; a machine with a key.
//!
//! Run it with `cargo run --example accounts`, and open <http://localhost:3000> to sign up and in. Or:
//!
//! ```sh
//! curl -i localhost:3000/accounts/sign-up -H 'content-type: application/json' \
//!   -d '{"email": "ann@example.com", "password": "correct horse battery", "name": "Ann"}'
//! curl -i -c jar localhost:3000/accounts/sign-in -H 'content-type: application/json' \
//!   -d '{"email": "ann@example.com", "password": "correct horse battery"}'
//! curl -i -b jar localhost:3000/accounts/me
//! curl -i -b jar localhost:3000/accounts/admin        # 403
//! cargo run --example accounts -- call accounts.make_admin '{"email": "ann@example.com"}'
//! curl -i localhost:3000/accounts/report -H 'x-api-key: let-the-machine-in'
//! ```
//!
//! Whoever has become an administrator signs in again. To run several instances set `DATABASE_URL` (Postgres) and `BUNBASE_SECRET`: a session
//! of one is good at all of them, and signing out at one ends it everywhere.

mod accounts;
mod migrations;
mod page;
#[cfg(test)]
mod tests;

use bunbase::prelude::*;

/// The application, as the server and the tests run it.
fn app() -> App {
    // A real one comes from the environment, and is longer. In a release build there is no other: an empty key is nobody's.
    let key = std::env::var("ACCOUNTS_API_KEY").ok();
    let key = key.or_else(|| cfg!(debug_assertions).then(|| "let-the-machine-in".to_owned())).unwrap_or_default();
    App::new()
        .config("app.name", "accounts")
        .config("app.version", env!("CARGO_PKG_VERSION"))
        .description("People who sign up and in, and a machine with a key.")
        .migrations::<migrations::Migrator>()
        .state(ApiKeys::new().with("reporter", &key))
}

#[bunbase::main]
async fn main() -> Result<()> {
    app().run().await
}
