use bunbase::schema;

#[schema]
struct Task {
    #[validate(multiple_of = 0)]
    field: u8,
}

fn main() {}
