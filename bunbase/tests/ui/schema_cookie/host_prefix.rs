use bunbase::schema;

#[schema]
struct Task {
    #[cookie("__Host-id", secure, domain = "example.com")]
    last: String,
}

fn main() {}
