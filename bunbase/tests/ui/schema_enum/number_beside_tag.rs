use bunbase::schema;

#[schema(tag = "kind")]
enum Shape {
    Circle(f64),
}

fn main() {}
