use bunbase::Result;

#[bunbase::action(event = "task.created", event("task.created", ordered))]
async fn on_created() -> Result<()> {
    Ok(())
}

fn main() {}
