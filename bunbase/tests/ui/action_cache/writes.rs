//! What writes is not answered from a cache.

/// Creates a task.
#[bunbase::action(post = "/tasks", cache(ttl = "5m"))]
async fn create(title: String) -> bunbase::Result<String> {
    Ok(title)
}

fn main() {}
