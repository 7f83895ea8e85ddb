use bunbase::schema;

#[schema]
struct Task {
    #[validate(length())]
    field: String,
}

fn main() {}
