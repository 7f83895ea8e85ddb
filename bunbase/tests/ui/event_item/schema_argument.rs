#[bunbase::event("task.created", renam = "x")]
pub struct TaskCreated {
    pub id: i64,
}

fn main() {}
