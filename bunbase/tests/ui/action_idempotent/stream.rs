use bunbase::{Result, action::ByteStream};

#[bunbase::action(post = "/export", idempotent)]
async fn export() -> Result<ByteStream> {
    Err(bunbase::Error::bad_request("nothing"))
}

fn main() {}
