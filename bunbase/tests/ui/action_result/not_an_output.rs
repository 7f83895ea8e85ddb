use bunbase::Result;

struct Task;

#[bunbase::action(get = "/tasks")]
async fn list() -> Result<Task> {
    Ok(Task)
}

fn main() {}
