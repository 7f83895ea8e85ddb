//! The smallest application: one action, served, validated and documented.
use bunbase::prelude::*;

/// Greets somebody.
#[action(get = "/hello/{name}")]
async fn hello(name: String, #[validate(range(min = 1, max = 10))] times: Option<u8>) -> Result<String> {
    Ok(format!("Hello, {name}! ").repeat(times.unwrap_or(1).into()))
}

#[bunbase::main]
async fn main() -> Result<()> {
    App::new().run().await
}
