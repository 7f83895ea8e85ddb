use bunbase::schema;

#[schema]
struct Task {
    #[validate(range(min = 1, exclusive_max = 1))]
    field: i64,
}

fn main() {}
