use bunbase::Result;

#[bunbase::action(cron = "@daily")]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
