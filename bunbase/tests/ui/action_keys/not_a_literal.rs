use bunbase::Result;

const PATH: &str = "/tasks";

#[bunbase::action(get = PATH)]
async fn list() -> Result<()> {
    Ok(())
}

fn main() {}
