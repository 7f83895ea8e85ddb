use bunbase::schema;

#[schema]
struct Task {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
}

fn main() {}
