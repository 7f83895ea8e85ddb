use bunbase::schema;

#[schema]
#[serde(transparent)]
struct Id(i64);

fn main() {}
