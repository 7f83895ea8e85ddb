use bunbase::Result;

#[bunbase::action(post = "/tasks")]
async fn create(title: impl Into<String>) -> Result<String> {
    Ok(title.into())
}

fn main() {}
