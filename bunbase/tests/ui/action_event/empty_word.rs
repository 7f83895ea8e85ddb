use bunbase::Result;

#[bunbase::action(event = "task.")]
async fn on_created() -> Result<()> {
    Ok(())
}

fn main() {}
