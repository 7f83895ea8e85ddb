//! A module inside the module: its prefix and its name come after those of the crate.

use bunbase::prelude::*;

bunbase::module!(prefix = "/visitors", guards = [NotAtNight]);

/// Lets visitors in by day. The hour is a parameter, so that this can be seen.
pub struct NotAtNight;

/// It is night.
#[derive(ActionError, Debug)]
pub enum Closed {
    /// It is night.
    #[error(status = 403, code = "closed", "come back in the morning")]
    Night,
}

impl Guard for NotAtNight {
    type Error = Closed;

    async fn check(&self, ctx: &Ctx) -> Result<(), Closed> {
        let hour = ctx.request().and_then(|request| request.header("X-Hour")).and_then(|hour| hour.parse().ok());
        match hour {
            Some(6..=21_u8) | None => Ok(()),
            Some(_) => Err(Closed::Night),
        }
    }
}

/// A visitor.
#[schema]
pub struct Visitor {
    /// Who it is.
    #[validate(length(min = 1))]
    pub name: String,
    /// Who comes along.
    #[default]
    pub with: Vec<Visitor>,
}

/// Lets a visitor in, and everybody who comes along. The answer is their number.
#[action(post = "/", status = 201)]
pub async fn let_in(#[input] visitor: Visitor) -> Result<u64> {
    Ok(count(&visitor))
}

fn count(visitor: &Visitor) -> u64 {
    1 + visitor.with.iter().map(count).sum::<u64>()
}
