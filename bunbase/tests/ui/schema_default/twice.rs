use bunbase::schema;

#[schema]
struct List {
    #[default(10)]
    #[serde(default)]
    limit: u32,
}

fn main() {}
