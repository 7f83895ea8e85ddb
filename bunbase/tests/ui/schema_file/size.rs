use bunbase::schema;

#[schema]
struct Form {
    #[file(max_size = "5")]
    avatar: String,
}

fn main() {}
