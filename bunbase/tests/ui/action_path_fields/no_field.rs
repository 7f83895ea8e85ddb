use bunbase::{Result, context::Ctx};

#[bunbase::action(get = "/tasks/{task_id}")]
async fn show(ctx: Ctx) -> Result<()> {
    let _ = ctx;
    Ok(())
}

fn main() {}
