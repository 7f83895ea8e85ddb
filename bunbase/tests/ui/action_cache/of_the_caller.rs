//! What a guard hands to the function may differ from caller to caller.

use bunbase::prelude::*;

/// Shows who calls.
#[action(get = "/me", cache(ttl = "5m"))]
async fn me(#[guard] who: ApiKey) -> Result<String> {
    Ok(who.holder)
}

fn main() {}
