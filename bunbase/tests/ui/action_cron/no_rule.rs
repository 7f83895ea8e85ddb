use bunbase::Result;

#[bunbase::action(cron(zone = "Europe/Berlin"))]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
