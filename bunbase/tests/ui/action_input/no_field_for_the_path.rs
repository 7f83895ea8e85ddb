use bunbase::Result;

#[bunbase::schema]
pub struct ListTasks {
    pub id: u8,
}

#[bunbase::action(get = "/projects/{project_id}/tasks")]
async fn list_tasks(input: ListTasks) -> Result<u8> {
    Ok(input.id)
}

fn main() {}
