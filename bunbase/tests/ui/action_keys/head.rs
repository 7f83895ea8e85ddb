use bunbase::Result;

#[bunbase::action(head = "/tasks")]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
