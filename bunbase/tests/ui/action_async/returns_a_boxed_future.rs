use std::pin::Pin;

use bunbase::Result;

#[bunbase::action(get = "/tasks")]
fn list_tasks() -> Pin<Box<dyn Future<Output = Result<u8>> + Send>> {
    Box::pin(async { Ok(1) })
}

fn main() {}
