use bunbase::schema;

#[schema]
struct Task {
    #[header("ETag")]
    tag: String,
    #[header]
    etag: String,
}

fn main() {}
