use bunbase::schema;

#[schema]
struct Task {
    #[validate(size(max = 5))]
    field: String,
}

fn main() {}
