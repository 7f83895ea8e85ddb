use bunbase::schema;

#[schema]
struct Save {
    #[body]
    a: String,
    b: String,
}

fn main() {}
