use bunbase::{Result, context::Ctx};

#[bunbase::action(get = "/tasks")]
async fn list(ctx: Ctx, again: Ctx) -> Result<()> {
    let _ = (ctx, again);
    Ok(())
}

fn main() {}
