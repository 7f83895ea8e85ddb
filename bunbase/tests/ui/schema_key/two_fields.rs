use bunbase::schema;

#[schema]
struct Task {
    id: i64,
    #[serde(rename = "id")]
    number: i64,
}

fn main() {}
