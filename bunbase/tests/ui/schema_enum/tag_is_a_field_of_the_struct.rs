use bunbase::schema;

#[schema]
struct Circle {
    kind: String,
}

#[schema(tag = "kind")]
enum Shape {
    Circle(Circle),
}

fn main() {}
