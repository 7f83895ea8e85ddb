use bunbase::schema;

#[schema]
enum Shape {
    Circle {
        #[query]
        radius: f64,
    },
}

fn main() {}
