use bunbase::Result;

#[bunbase::action(get = "/files/{*path}/meta")]
async fn show(path: String) -> Result<String> {
    Ok(path)
}

fn main() {}
