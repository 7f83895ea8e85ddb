use bunbase::schema;

#[schema(tag = "kind")]
enum Shape {
    Point(f64, f64),
}

fn main() {}
