use bunbase::schema;

#[schema]
enum State {
    #[serde(alias = "new")]
    Open,
}

fn main() {}
