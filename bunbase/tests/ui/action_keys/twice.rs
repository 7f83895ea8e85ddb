use bunbase::Result;

#[bunbase::action(get = "/tasks", timeout = "10s", timeout = "20s")]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
