#[derive(Clone, Debug)]
struct Plain;

#[bunbase::schema]
struct Task {
    plain: Plain,
}

fn main() {}
