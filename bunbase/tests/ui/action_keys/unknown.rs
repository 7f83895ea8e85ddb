use bunbase::Result;

#[bunbase::action(get = "/tasks", timeot = "10s")]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
