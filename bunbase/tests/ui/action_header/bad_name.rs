use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list(#[header("X Source")] source: String) -> Result<String> {
    Ok(source)
}

fn main() {}
