use bunbase::Result;

#[bunbase::action(event(ordered))]
async fn on_created() -> Result<()> {
    Ok(())
}

fn main() {}
