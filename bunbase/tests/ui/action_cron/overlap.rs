use bunbase::Result;

#[bunbase::action(cron("0 2 * * *", overlap = "queue"))]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
