use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async fn list(#[cfg(unix)] limit: u8) -> Result<u8> {
    Ok(limit)
}

fn main() {}
