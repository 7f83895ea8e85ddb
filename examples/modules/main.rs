//! Actions of another crate.
//!
//! `greetings`, the folder beside this file, is a library with actions. To serve them an application needs it among its
//! dependencies and names it once:
//!
//! ```ignore
//! App::new().modules(bunbase::modules![greetings])
//! ```
//!
//! Without that nothing here would mention the crate, and Rust leaves a crate that nothing mentions out of the binary, with its
//! actions and without a word. The list is a promise, too: when a module in it has registered no action, the application
//! does not start, and says which one it is. Modules of this crate can be listed as `crate::billing`; they need not be.

#[cfg(test)]
mod tests;

use bunbase::prelude::*;

#[bunbase::main]
async fn main() -> Result<()> {
    app().run().await
}

fn app() -> App {
    App::new().config("app.name", "modules").modules(bunbase::modules![greetings])
}
