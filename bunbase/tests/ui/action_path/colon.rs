use bunbase::Result;

#[bunbase::action(get = "/tasks/:id")]
async fn show(id: u8) -> Result<u8> {
    Ok(id)
}

fn main() {}
