use bunbase::Result;

struct Tasks;

impl Tasks {
    #[bunbase::action(get = "/tasks")]
    async fn list(&self) -> Result<u8> {
        Ok(1)
    }
}

fn main() {}
