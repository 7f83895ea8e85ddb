use bunbase::schema;

#[schema]
struct Task {
    #[cookie("last", max_age = "7 days")]
    last: String,
}

fn main() {}
