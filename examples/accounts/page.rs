//! The page that signs up and in by the cookie.

use bunbase::prelude::*;

/// What the page may load: its own script and style.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Shows the page.
#[action(get = "/")]
pub async fn index(ctx: Ctx) -> Result<Html> {
    ctx.answer_with(|headers| headers.push(("content-security-policy", POLICY.to_owned())));
    Ok(Html(include_str!("page.html").to_owned()))
}

/// The page's script.
#[action(get = "/page.js", content_type = "text/javascript; charset=utf-8")]
pub async fn script() -> Result<Text> {
    Ok(Text(include_str!("page.js").to_owned()))
}

/// The page's style.
#[action(get = "/page.css", content_type = "text/css; charset=utf-8")]
pub async fn style() -> Result<Text> {
    Ok(Text(include_str!("page.css").to_owned()))
}
