use bunbase::schema;

#[schema]
struct Task {
    id: i64,
    #[cfg(windows)]
    drive: String,
}

fn main() {}
