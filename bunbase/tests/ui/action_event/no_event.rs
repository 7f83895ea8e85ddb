use bunbase::Result;

#[bunbase::schema]
struct TaskCreated {
    id: i64,
}

#[bunbase::action(event = TaskCreated)]
async fn on_created(id: i64) -> Result<()> {
    let _ = id;
    Ok(())
}

fn main() {}
