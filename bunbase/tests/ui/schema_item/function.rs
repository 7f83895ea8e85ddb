use bunbase::schema;

#[schema]
fn create() {}

fn main() {}
