use bunbase::schema;

#[schema(tag = "kind")]
enum Shape {
    Circle { kind: String },
}

fn main() {}
