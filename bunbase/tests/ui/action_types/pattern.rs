use bunbase::Result;

#[bunbase::action(post = "/tasks")]
async fn create((title, text): (String, String)) -> Result<String> {
    Ok(title + &text)
}

fn main() {}
