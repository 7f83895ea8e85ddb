use bunbase::Result;

#[bunbase::action(cron("0 2 * * *", zome = "UTC"))]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
