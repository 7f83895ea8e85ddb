use bunbase::Result;

#[bunbase::action(post = "/tasks")]
async fn create(#[body] title: String, text: String) -> Result<String> {
    Ok(title + &text)
}

fn main() {}
