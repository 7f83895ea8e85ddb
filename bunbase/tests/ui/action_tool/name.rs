use bunbase::Result;

#[bunbase::action(tool = "move task")]
async fn move_task() -> Result<()> {
    Ok(())
}

fn main() {}
