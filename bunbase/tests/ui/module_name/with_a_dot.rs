bunbase::module!(name = "api.tasks");

fn main() {}
