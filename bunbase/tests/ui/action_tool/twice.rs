use bunbase::Result;

#[bunbase::action(tool, tool = "move")]
async fn move_task() -> Result<()> {
    Ok(())
}

fn main() {}
