use bunbase::Result;

#[bunbase::action(get = "/tasks", content_type = "text/csv")]
async fn list() -> Result<u8> {
    Ok(1)
}

fn main() {}
