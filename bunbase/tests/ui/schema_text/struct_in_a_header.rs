use bunbase::schema;

#[schema]
struct Task {
    id: i64,
}

#[schema]
struct Answer {
    #[header]
    task: Task,
}

fn main() {}
