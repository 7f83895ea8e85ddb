use bunbase::schema;

#[schema]
struct Task {
    #[validate(length(min = 5, max = 1))]
    field: String,
}

fn main() {}
