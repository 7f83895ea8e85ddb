use bunbase::schema;

#[schema]
struct Task {
    #[cookie("last", httponly)]
    last: String,
}

fn main() {}
