#[bunbase::action(get = "/tasks")]
struct Tasks;

fn main() {}
