use bunbase::schema;

fn check(_: &u8) -> Result<(), String> {
    Ok(())
}

#[schema]
struct Task {
    #[validate(custom = check)]
    field: String,
}

fn main() {}
