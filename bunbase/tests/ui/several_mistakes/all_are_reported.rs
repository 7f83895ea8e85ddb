use bunbase::{Result, context::Ctx};

/// The function comes back, so its caller below is no mistake.
#[bunbase::action(get = "tasks/{id}", status = 500, timeot = "1s")]
async fn show(ctx: Ctx, #[header("a b")] a: String, #[body] b: &str, (c, d): (u8, u8), again: Ctx) -> Result<()> {
    let _ = (ctx, a, b, c, d, again);
    Ok(())
}

async fn caller(ctx: Ctx) -> Result<()> {
    show(ctx.clone(), String::new(), "", (1, 2), ctx).await
}

fn main() {}
