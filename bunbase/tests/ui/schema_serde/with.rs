use bunbase::schema;

#[schema]
struct Task {
    #[serde(with = "hex")]
    id: i64,
}

fn main() {}
