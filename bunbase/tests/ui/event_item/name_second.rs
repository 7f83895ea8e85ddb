#[bunbase::event(rename_all = "camelCase", "task.created")]
pub struct TaskCreated {
    pub id: i64,
}

fn main() {}
