use bunbase::Result;

#[bunbase::event("task.created")]
pub struct TaskCreated {
    pub id: u8,
}

#[bunbase::action(event = TaskCreated)]
async fn task_created(id: u8) -> Result<u8> {
    Ok(id)
}

fn main() {}
