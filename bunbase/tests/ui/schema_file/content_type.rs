use bunbase::schema;

#[schema]
struct Form {
    #[file(content_types = ["png"])]
    avatar: String,
}

fn main() {}
