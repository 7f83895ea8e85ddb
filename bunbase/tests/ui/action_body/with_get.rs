use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list(#[body] filter: String) -> Result<String> {
    Ok(filter)
}

fn main() {}
