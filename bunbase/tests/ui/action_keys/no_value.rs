use bunbase::Result;

#[bunbase::action(get)]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
