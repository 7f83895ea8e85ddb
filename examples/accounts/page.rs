//! The page that signs up and in by the cookie.

use bunbase::prelude::*;

bunbase::module!(name = "page", prefix = "");

/// A page, and what it may load: its own script and style.
#[schema]
pub struct Page {
    #[header("Content-Security-Policy")]
    policy: String,
    #[body]
    page: Html,
}

/// Shows the page.
#[action(get = "/")]
pub async fn index() -> Page {
    Page {
        policy: "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'".to_owned(),
        page: Html(include_str!("page.html").to_owned()),
    }
}

/// The page's script.
#[action(get = "/page.js", content_type = "text/javascript; charset=utf-8")]
pub async fn script() -> Text {
    Text(include_str!("page.js").to_owned())
}

/// The page's style.
#[action(get = "/page.css", content_type = "text/css; charset=utf-8")]
pub async fn style() -> Text {
    Text(include_str!("page.css").to_owned())
}
