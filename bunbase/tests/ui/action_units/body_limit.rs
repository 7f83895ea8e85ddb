use bunbase::Result;

#[bunbase::action(post = "/tasks", body_limit = "5 megs")]
async fn create() -> Result<()> {
    Ok(())
}

fn main() {}
