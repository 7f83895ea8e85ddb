use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list(#[header] authorization: String) -> Result<String> {
    Ok(authorization)
}

fn main() {}
