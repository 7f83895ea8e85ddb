bunbase::module!(prefix = "/files/{*rest}");

fn main() {}
