use bunbase::Result;

#[bunbase::action(delete = "/tasks", status = 204)]
async fn remove() -> Result<u8> {
    Ok(1)
}

fn main() {}
