use bunbase::schema;

#[schema]
struct Task {
    #[validate(length(max = 5))]
    field: i64,
}

fn main() {}
