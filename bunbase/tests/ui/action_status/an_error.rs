use bunbase::Result;

#[bunbase::action(get = "/tasks", status = 404)]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
