use bunbase::schema;

#[schema(tag = "kind")]
struct Task {
    id: i64,
}

fn main() {}
