use bunbase::schema;

#[schema]
#[derive(JsonSchema)]
struct Task {
    id: i64,
}

fn main() {}
