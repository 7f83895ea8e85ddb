use bunbase::Result;

#[bunbase::schema]
pub struct Filter {
    pub id: u8,
}

#[bunbase::action(get = "/tasks")]
async fn list_tasks(#[validate(length(min = 1))] input: Filter) -> Result<u8> {
    Ok(input.id)
}

fn main() {}
