use bunbase::schema;

#[schema]
struct Filter {
    text: String,
}

#[schema]
struct List {
    #[query]
    filter: Filter,
}

fn main() {}
