use bunbase::schema;

#[schema]
struct Nothing;

fn main() {}
