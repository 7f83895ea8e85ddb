use bunbase::schema;

#[schema]
struct Rest {
    size: u8,
}

#[schema]
struct Task {
    id: i64,
    #[serde(flatten)]
    rest: Rest,
}

fn main() {}
