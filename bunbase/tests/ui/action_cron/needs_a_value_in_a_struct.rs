use bunbase::Result;

#[bunbase::schema]
pub struct Clean {
    pub older_than: u32,
    pub limit: Option<u32>,
    pub keep: u8,
}

#[bunbase::action(every = "1h")]
async fn clean(input: Clean) -> Result<u8> {
    Ok(input.keep)
}

fn main() {}
