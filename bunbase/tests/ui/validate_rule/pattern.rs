use bunbase::schema;

#[schema]
struct Task {
    #[validate(pattern = "(")]
    field: String,
}

fn main() {}
