#[bunbase::event("task.created")]
fn task_created() {}

fn main() {}
