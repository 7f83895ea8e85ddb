use bunbase::Result;

#[bunbase::action(event("task.created", ordered, broadcast))]
async fn on_created() -> Result<()> {
    Ok(())
}

fn main() {}
