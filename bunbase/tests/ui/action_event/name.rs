use bunbase::Result;

#[bunbase::action(event = "Task Created")]
async fn on_created() -> Result<()> {
    Ok(())
}

fn main() {}
