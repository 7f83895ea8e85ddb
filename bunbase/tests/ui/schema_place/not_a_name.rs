use bunbase::schema;

#[schema]
struct List {
    #[query(q)]
    text: String,
}

fn main() {}
