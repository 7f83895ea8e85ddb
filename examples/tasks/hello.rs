//! A greeting, to see that the service is there.

use std::convert::Infallible;

use bunbase::prelude::*;

/// A greeting.
#[schema]
pub struct Greeting {
    /// What it says.
    pub text: String,
}

/// Greets somebody.
#[action(get = "/hello/{name}", tags = ["hello"])]
async fn hello(name: String) -> Result<Greeting, Infallible> {
    Ok(Greeting { text: format!("Hello, {name}!") })
}
