use bunbase::Result;

#[bunbase::action(event)]
async fn on_created() -> Result<()> {
    Ok(())
}

fn main() {}
