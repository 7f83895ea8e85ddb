#[bunbase::event("task.created")]
#[bunbase::schema]
pub struct TaskCreated {
    pub id: i64,
}

fn main() {}
