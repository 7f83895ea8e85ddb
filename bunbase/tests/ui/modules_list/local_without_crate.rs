mod tasks {}

const LISTED: &[&str] = bunbase::modules![tasks];

fn main() {}
