use bunbase::Result;

#[bunbase::action(every = "30")]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
