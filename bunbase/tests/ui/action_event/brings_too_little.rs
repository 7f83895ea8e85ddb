use bunbase::Result;

#[bunbase::event("task.created")]
struct TaskCreated {
    id: i64,
}

#[bunbase::action(event = TaskCreated)]
async fn on_created(id: i64, title: String, note: Option<String>) -> Result<()> {
    let _ = (id, title, note);
    Ok(())
}

fn main() {}
