use bunbase::schema;

#[schema]
struct Task {
    #[header("X Request")]
    source: String,
}

fn main() {}
