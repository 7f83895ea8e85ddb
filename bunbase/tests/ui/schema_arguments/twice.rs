use bunbase::schema;

#[schema(rename_all = "snake_case")]
#[serde(rename_all = "camelCase")]
struct Task {
    id: i64,
}

fn main() {}
