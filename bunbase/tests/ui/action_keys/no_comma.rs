use bunbase::Result;

#[bunbase::action(get = "/tasks" status = 200)]
async fn list() -> Result<u8> {
    Ok(1)
}

fn main() {}
