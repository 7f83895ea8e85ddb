bunbase::module!(prefix = "/tasks/");

fn main() {}
