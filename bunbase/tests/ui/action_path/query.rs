use bunbase::Result;

#[bunbase::action(get = "/tasks?limit=10")]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
