//! Signing in by a password, which takes tens of milliseconds of a processor: `sessions`.

use bunbase::prelude::*;

/// The password of everybody who signs in.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The hash of the one password, made when it is first asked for.
#[derive(Default)]
pub(super) struct Known(tokio::sync::OnceCell<String>);

/// Signs in whoever has the password.
#[action(post = "/sign-in")]
async fn sign_in(ctx: Ctx, #[sensitive] password: String) -> Result<bool> {
    let hash = ctx.state::<Known>()?.0.get_or_try_init(|| ctx.passwords().hash(PASSWORD)).await?;
    if !ctx.passwords().check(&password, Some(hash)).await?.is_right() {
        return Err(bunbase::Error::unauthorized("that is another password"));
    }
    ctx.session().sign_in(Grant::user(7)).await?;
    Ok(true)
}
