use bunbase::Result;

#[bunbase::action(get = "/tasks")]
fn list_tasks() -> impl Future<Output = Result<u8>> {
    async { Ok(1) }
}

fn main() {}
