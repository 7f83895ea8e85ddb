use bunbase::{Error, prelude::*};

#[action(get = "/ticks")]
async fn ticks() -> Result<ByteStream> {
    Err(Error::internal("no ticks"))
}

#[action(post = "/starts")]
async fn start(ctx: Ctx) -> Result<()> {
    ctx.enqueue(Ticks::new()).await?;
    Ok(())
}

fn main() {
    let _ = Start::new();
}
