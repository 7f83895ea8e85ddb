use bunbase::Result;

#[bunbase::action(cron = "60 2 * MAI FRI-MON")]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
