use bunbase::Result;

#[bunbase::action(cron("0 2 * * *", missed = never))]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
