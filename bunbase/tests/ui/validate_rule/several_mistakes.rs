use bunbase::schema;

#[schema]
struct Task {
    #[validate(length(min = 5, max = 1))]
    title: String,
    #[header("X Y")]
    source: String,
    #[validate(emial)]
    mail: String,
}

fn used(task: Task) -> String {
    task.title.clone()
}

fn main() {}
