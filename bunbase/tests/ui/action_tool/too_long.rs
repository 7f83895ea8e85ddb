use bunbase::Result;

#[bunbase::action(tool = "a123456789b123456789c123456789d123456789e123456789f123456789g1234")]
async fn move_task() -> Result<()> {
    Ok(())
}

fn main() {}
