use bunbase::Result;

#[bunbase::action(cron = "0 2 * * *")]
async fn clean(older_than: u32, limit: Option<u32>, #[default(3)] keep: u8) -> Result<()> {
    let _ = (older_than, limit, keep);
    Ok(())
}

fn main() {}
