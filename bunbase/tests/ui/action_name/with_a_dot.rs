use bunbase::Result;

#[bunbase::action(get = "/tasks", name = "tasks.list")]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
