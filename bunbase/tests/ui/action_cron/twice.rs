use bunbase::Result;

#[bunbase::action(cron = "0 2 * * *", cron("0 2 * * *", missed = once))]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
