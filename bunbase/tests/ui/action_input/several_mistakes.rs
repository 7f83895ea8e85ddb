use bunbase::Result;
use std::collections::BTreeMap;

#[bunbase::schema]
pub struct Filter {
    pub by: BTreeMap<String, u8>,
    #[body]
    pub text: String,
}

#[bunbase::action(get = "/tasks/{id}")]
async fn list_tasks(input: Filter) -> Result<u64> {
    Ok(input.by.len() as u64)
}

fn main() {}
