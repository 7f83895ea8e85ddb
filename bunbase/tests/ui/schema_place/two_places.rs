use bunbase::schema;

#[schema]
struct Task {
    #[path]
    #[query]
    id: i64,
}

fn main() {}
