use bunbase::schema;

#[schema]
struct Task {
    #[validate(custom = "check")]
    field: u8,
}

fn main() {}
