use bunbase::Result;

#[bunbase::action(post = "/tasks")]
async fn create(#[body] title: String, #[body] text: String) -> Result<String> {
    Ok(title + &text)
}

fn main() {}
