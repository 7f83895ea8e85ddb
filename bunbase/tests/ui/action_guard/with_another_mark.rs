use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list(#[guard] #[header] user: String) -> Result<String> {
    Ok(user)
}

fn main() {}
