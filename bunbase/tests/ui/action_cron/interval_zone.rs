use bunbase::Result;

#[bunbase::action(every("30s", zone = "UTC"))]
async fn clean() -> Result<()> {
    Ok(())
}

fn main() {}
