use bunbase::Result;

#[bunbase::action(event = 7)]
async fn on_created() -> Result<()> {
    Ok(())
}

fn main() {}
