use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list(#[query("q")] title: String, #[query("q")] body: String) -> Result<String> {
    Ok(title + &body)
}

fn main() {}
