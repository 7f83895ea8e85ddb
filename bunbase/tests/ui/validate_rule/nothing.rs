use bunbase::schema;

#[schema]
struct Task {
    #[validate()]
    field: String,
}

fn main() {}
