use bunbase::Result;

struct Open;

#[bunbase::action(get = "/tasks", guards = [Open])]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
