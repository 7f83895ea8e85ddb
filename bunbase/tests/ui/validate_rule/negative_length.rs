use bunbase::schema;

#[schema]
struct Task {
    #[validate(length(min = -1))]
    field: String,
}

fn main() {}
