use bunbase::schema;

#[schema]
struct Task {
    #[validate(email)]
    field: u8,
}

fn main() {}
