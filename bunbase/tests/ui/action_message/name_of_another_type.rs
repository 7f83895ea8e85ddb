use bunbase::Result;

#[bunbase::schema]
pub struct Task {
    pub id: u8,
}

#[bunbase::action(post = "/tasks")]
async fn task(#[body] task: Task) -> Result<u8> {
    Ok(task.id)
}

fn main() {}
