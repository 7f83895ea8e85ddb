use bunbase::Result;

#[bunbase::action(cron = "0 24 * * *")]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
