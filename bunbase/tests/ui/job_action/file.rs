use bunbase::prelude::*;

#[action(post = "/pictures")]
async fn store_picture(#[file] picture: Upload) -> Result<()> {
    drop(picture);
    Ok(())
}

#[action(post = "/starts")]
async fn start(ctx: Ctx) -> Result<()> {
    let picture = Upload::from_bytes("a.png", "image/png", "");
    ctx.schedule("pictures", StorePicture::new(picture)).cron("0 6 * * *").await?;
    Ok(())
}

fn main() {
    let _ = Start::new();
}
