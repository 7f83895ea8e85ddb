use bunbase::schema;

#[schema]
struct Task {
    #[header("Set-Cookie")]
    cookie: String,
}

fn main() {}
