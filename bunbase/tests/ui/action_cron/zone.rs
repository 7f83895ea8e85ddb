use bunbase::Result;

#[bunbase::action(cron("0 2 * * *", zone = "+02:00"))]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
