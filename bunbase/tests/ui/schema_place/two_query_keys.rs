use bunbase::schema;

#[schema]
struct List {
    #[query]
    q: String,
    #[query("q")]
    text: String,
}

fn main() {}
