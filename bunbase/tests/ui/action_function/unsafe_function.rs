use bunbase::Result;

#[bunbase::action(get = "/tasks")]
async unsafe fn list() -> Result<()> {
    Ok(())
}

fn main() {}
