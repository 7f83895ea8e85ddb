use bunbase::schema;

#[schema]
struct Task {
    #[validate(length(max = MAX))]
    field: String,
}

fn main() {}
