use bunbase::Result;

#[bunbase::action(tool("move_task"))]
async fn move_task() -> Result<()> {
    Ok(())
}

fn main() {}
