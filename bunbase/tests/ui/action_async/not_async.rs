use bunbase::Result;

#[bunbase::action(get = "/tasks")]
fn list_tasks() -> Result<u8> {
    Ok(1)
}

fn main() {}
