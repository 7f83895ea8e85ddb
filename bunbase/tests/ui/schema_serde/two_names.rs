use bunbase::schema;

#[schema]
struct Task {
    #[serde(rename(serialize = "a", deserialize = "b"))]
    id: i64,
}

fn main() {}
