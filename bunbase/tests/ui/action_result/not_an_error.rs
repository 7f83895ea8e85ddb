use bunbase::Result;

#[derive(Debug)]
enum TaskError {}

#[bunbase::action(get = "/tasks")]
async fn list() -> Result<u8, TaskError> {
    Ok(1)
}

fn main() {}
