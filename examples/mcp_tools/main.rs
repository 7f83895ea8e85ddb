//! A small lending library that a language model can use: its actions are tools of the Model Context Protocol.
//!
//! `tool` on an action is all that it takes. The function, its checks, its guards and its errors stay the same; the model gets
//! its name, its doc comment, a JSON Schema of what it takes and one of what it answers. Read on in `books.rs`.
//!
//! ```sh
//! LIBRARY_KEY=secret cargo run --example mcp_tools
//! ```
//!
//! serves the tools at `http://127.0.0.1:3000/mcp`, beside the HTTP routes. Whoever lends a book shows the key, in the header
//! `X-Api-Key`, as over HTTP. A client that starts its servers itself is told to start this one:
//!
//! ```json
//! {
//!   "mcpServers": {
//!     "library": { "command": "/path/to/mcp_tools", "args": ["mcp", "--as", "service:desk"] }
//!   }
//! }
//! ```
//!
//! There it speaks on standard input and output, where no header shows a key: `--as` says who calls. Both may run at once; the
//! library is in `data/app.db` of the folder that they run in, or where `DATABASE_URL` says.
//!
//! What a model sees of a call that is refused, wrong or impossible is the problem document that HTTP would answer, so that it can mend
//! the call: `{"status": 409, "code": "book_lent", "detail": "Ada has it until 2030-02-01", …}`. Headers and cookies are for
//! browsers, and a model never sees them.

mod books;
mod migrations;
#[cfg(test)]
mod tests;

use bunbase::prelude::*;

/// The application, as the server and the tests run it.
fn app(keys: ApiKeys) -> App {
    App::new()
        .config("app.name", "library")
        .config("app.version", env!("CARGO_PKG_VERSION"))
        // For a model, these are its instructions.
        .description("A small lending library. Find a book before you lend it: books are named by their numbers.")
        .migrations::<migrations::Migrator>()
        .state(keys)
}

#[bunbase::main]
async fn main() -> Result<()> {
    // Without a key nobody may lend, which is the safe default.
    let key = std::env::var("LIBRARY_KEY").unwrap_or_default();
    app(ApiKeys::new().with("desk", &key)).run().await
}
