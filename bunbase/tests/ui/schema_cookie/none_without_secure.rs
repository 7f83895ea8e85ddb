use bunbase::schema;

#[schema]
struct Task {
    #[cookie("last", same_site = "none")]
    last: String,
}

fn main() {}
