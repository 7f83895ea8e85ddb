use bunbase::schema;

#[schema]
#[derive(PartialEq, serde::Deserialize)]
struct Task {
    id: i64,
}

fn main() {}
