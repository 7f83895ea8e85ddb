#[bunbase::action(get = "/tasks")]
async fn list() -> String {
    String::new()
}

fn main() {}
