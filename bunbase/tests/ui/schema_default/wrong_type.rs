use bunbase::schema;

#[schema]
struct List {
    #[default("ten")]
    limit: u32,
}

fn main() {}
