#[bunbase::action(get = "/tasks")]
async fn list() {}

fn main() {}
