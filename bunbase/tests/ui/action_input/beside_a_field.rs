use bunbase::Result;

#[bunbase::schema]
pub struct ListTasks {
    pub id: u8,
}

#[bunbase::action(get = "/tasks")]
async fn list_tasks(input: ListTasks, limit: u8) -> Result<u8> {
    Ok(input.id + limit)
}

fn main() {}
