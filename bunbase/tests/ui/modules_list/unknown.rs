const LISTED: &[&str] = bunbase::modules![crate::tasks];

fn main() {}
