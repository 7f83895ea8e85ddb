use bunbase::schema;

#[schema(tagged = "kind")]
enum State {
    Open,
}

fn main() {}
