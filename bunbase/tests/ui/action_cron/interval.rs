use bunbase::Result;

#[bunbase::action(every = "500ms")]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
