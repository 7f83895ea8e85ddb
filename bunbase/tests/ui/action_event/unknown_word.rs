use bunbase::Result;

#[bunbase::action(event("task.created", orderd))]
async fn on_created() -> Result<()> {
    Ok(())
}

fn main() {}
