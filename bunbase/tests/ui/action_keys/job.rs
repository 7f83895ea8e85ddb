use bunbase::Result;

#[bunbase::action(post = "/tasks", job)]
async fn create() -> Result<()> {
    Ok(())
}

fn main() {}
