use bunbase::Result;

#[bunbase::action(post = "/tasks", event = "task.requested")]
async fn create() -> Result<()> {
    Ok(())
}

fn main() {}
