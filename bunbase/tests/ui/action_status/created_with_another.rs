use bunbase::Result;
use bunbase::action::Created;

#[bunbase::action(post = "/tasks", status = 202)]
async fn create() -> Result<Created<u8>> {
    Ok(Created::at("/tasks/1", 1))
}

fn main() {}
