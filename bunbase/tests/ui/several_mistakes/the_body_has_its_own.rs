use bunbase::Result;

#[bunbase::action(get = "/tasks", limit = 1)]
async fn list() -> Result<()> {
    let number: u8 = "one";
    Ok(())
}

fn main() {}
