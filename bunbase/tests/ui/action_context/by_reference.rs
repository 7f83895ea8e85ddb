use bunbase::{Result, context::Ctx};

#[bunbase::action(get = "/tasks")]
async fn list(ctx: &Ctx) -> Result<()> {
    let _ = ctx;
    Ok(())
}

fn main() {}
