#[bunbase::event("TaskCreated")]
pub struct TaskCreated {
    pub id: i64,
}

fn main() {}
