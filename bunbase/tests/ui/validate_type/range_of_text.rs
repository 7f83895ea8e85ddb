use bunbase::schema;

#[schema]
struct Task {
    #[validate(range(max = 5))]
    field: String,
}

fn main() {}
