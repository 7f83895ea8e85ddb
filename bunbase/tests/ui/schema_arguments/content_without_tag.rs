use bunbase::schema;

#[schema(content = "value")]
enum State {
    Open,
}

fn main() {}
