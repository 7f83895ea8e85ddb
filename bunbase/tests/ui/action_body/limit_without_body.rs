use bunbase::Result;

#[bunbase::action(get = "/tasks", body_limit = "5MB")]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
