use bunbase::Result;

#[bunbase::action(get = "/tasks", timeout = "10 seconds")]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
