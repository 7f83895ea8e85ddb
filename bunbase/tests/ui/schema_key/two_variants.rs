use bunbase::schema;

#[schema(rename_all = "lowercase")]
enum State {
    Open,
    OPEN,
}

fn main() {}
