use bunbase::Result;

pub struct ListTasks {
    pub id: u8,
}

#[bunbase::action(get = "/tasks")]
async fn list_tasks(input: ListTasks) -> Result<u8> {
    Ok(input.id)
}

fn main() {}
