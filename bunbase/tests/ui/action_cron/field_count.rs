use bunbase::Result;

#[bunbase::action(cron = "0 2 * *")]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
