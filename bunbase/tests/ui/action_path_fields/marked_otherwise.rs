use bunbase::Result;

#[bunbase::action(get = "/tasks/{task_id}")]
async fn show(#[query] task_id: u8) -> Result<u8> {
    Ok(task_id)
}

fn main() {}
