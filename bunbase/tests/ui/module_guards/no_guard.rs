struct Open;

bunbase::module!(guards = [Open]);

fn main() {}
