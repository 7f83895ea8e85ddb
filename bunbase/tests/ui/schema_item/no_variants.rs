use bunbase::schema;

#[schema]
enum Never {}

fn main() {}
