//! How long an answer is kept must be said.

/// Lists tasks.
#[bunbase::action(get = "/tasks", cache(stale = "0s", vary = [user, header]))]
async fn list() -> bunbase::Result<()> {
    Ok(())
}

fn main() {}
