use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list(#[header] request_source: String, #[header("request-source")] other: String) -> Result<String> {
    Ok(request_source + &other)
}

fn main() {}
