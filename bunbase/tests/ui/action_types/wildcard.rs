use bunbase::Result;

#[bunbase::action(post = "/tasks")]
async fn create(_: String) -> Result<()> {
    Ok(())
}

fn main() {}
