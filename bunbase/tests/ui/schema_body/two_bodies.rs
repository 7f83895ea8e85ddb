use bunbase::schema;

#[schema]
struct Save {
    #[body]
    a: String,
    #[body]
    b: String,
}

fn main() {}
