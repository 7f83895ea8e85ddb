use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list() -> Result<impl std::fmt::Display> {
    Ok(1)
}

fn main() {}
