use bunbase::Result;

#[bunbase::action(get = "tasks")]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
