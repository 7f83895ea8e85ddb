use bunbase::Result;

#[bunbase::action(get = "/tasks", guards = open())]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
