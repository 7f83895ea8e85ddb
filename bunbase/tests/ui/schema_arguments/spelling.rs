use bunbase::schema;

#[schema(rename_all = "snakecase")]
enum State {
    Open,
}

fn main() {}
