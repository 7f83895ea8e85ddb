//! The API reference page: shows the document and sends requests, from the binary alone.
//!
//! Here: the page, its two scripts and the policy that keeps it from calling any other host. Not here: routes and the
//! choice by `Accept-Encoding` and `If-None-Match` (`http`), the document itself (`openapi`). What the script is and how
//! to update it: `assets/README.md`.

use std::{fmt::Write as _, sync::Arc};

use crate::asset::Asset;

/// The `Content-Security-Policy` of the page: its own scripts, requests to its own origin, nothing else.
///
/// Styles are set by the script, hence `unsafe-inline` for them; `blob:` shows images and sound that a request answered.
/// A document whose `servers` name another origin is shown, but requests to that origin are refused by the browser.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data: blob:; media-src blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

const SCRIPT: &[u8] = include_bytes!("assets/reference.js.gz");
const BOOT: &[u8] = include_bytes!("assets/boot.js");
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// The page and its scripts, each with the path it is served at.
///
/// ```
/// use bunbase::openapi::reference::Reference;
///
/// let reference = Reference::new("/docs", "/openapi.json", "Tasks");
/// let paths: Vec<&str> = reference.assets().map(|(path, _)| path).collect();
/// assert_eq!(paths, ["/docs", "/docs/reference.js", "/docs/boot.js"]);
/// ```
#[derive(Debug)]
pub struct Reference {
    assets: [(String, Arc<Asset>); 3],
}

impl Reference {
    /// Builds the page at `docs_path` for the document at `document_path`, under a `title` that is plain text.
    ///
    /// Both paths are what a browser asks for: absolute, and with the prefix of a proxy that strips one. A slash at the
    /// end of `docs_path` is dropped, so `/` puts the page at the root.
    pub fn new(docs_path: &str, document_path: &str, title: &str) -> Self {
        let docs = docs_path.trim_end_matches('/');
        let (script, boot) = (format!("{docs}/reference.js"), format!("{docs}/boot.js"));
        let page = page(title, document_path, &script, &boot);
        let at = if docs.is_empty() { "/" } else { docs };
        Self {
            assets: [
                (at.to_owned(), Asset::new("text/html; charset=utf-8", page).into()),
                (script, Asset::gzipped(JAVASCRIPT, SCRIPT).into()),
                (boot, Asset::new(JAVASCRIPT, BOOT).into()),
            ],
        }
    }

    /// Every path with what is served there, the page first.
    pub fn assets(&self) -> impl ExactSizeIterator<Item = (&str, &Arc<Asset>)> {
        self.assets.iter().map(|(path, asset)| (path.as_str(), asset))
    }
}

fn page(title: &str, document: &str, script: &str, boot: &str) -> String {
    let [title, document, script, boot] = [title, document, script, boot].map(escape);
    // An empty icon, or the browser would ask for /favicon.ico.
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
</head>
<body>
<div id="reference" data-document="{document}"></div>
<noscript>This page needs JavaScript. The OpenAPI document is at <a href="{document}">{document}</a>.</noscript>
<script src="{script}"></script>
<script src="{boot}"></script>
</body>
</html>
"#
    )
}

/// Makes a text safe between tags and between quotes.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        if matches!(c, '&' | '<' | '>' | '"' | '\'') {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "&#{};", u32::from(c));
        } else {
            escaped.push(c);
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(reference: &Reference, index: usize) -> String {
        let (_, asset) = reference.assets().nth(index).unwrap();
        String::from_utf8(asset.identity().to_vec()).unwrap()
    }

    #[test]
    fn a_title_cannot_leave_its_tag() {
        let page = body(&Reference::new("/docs", "/openapi.json", "a</title><script>b(\"'&')"), 0);
        assert!(page.contains("<title>a&#60;/title&#62;&#60;script&#62;b(&#34;&#39;&#38;&#39;)</title>"), "{page}");
        assert_eq!(page.matches("<script").count(), 2);
    }

    #[test]
    fn a_document_path_cannot_leave_its_attribute() {
        let page = body(&Reference::new("/docs", "/a\" onclick=\"b", "t"), 0);
        assert!(page.contains(r#"data-document="/a&#34; onclick=&#34;b""#), "{page}");
    }

    #[test]
    fn the_page_names_no_other_host_and_holds_no_script_of_its_own() {
        let page = body(&Reference::new("/docs", "/openapi.json", "Tasks"), 0);
        for other in ["http:", "https:", "src=\"//", "href=\"//"] {
            assert!(!page.contains(other), "{other} in {page}");
        }
        assert_eq!(page.matches("<script src=\"/docs/").count(), 2);
        assert_eq!(page.matches("></script>").count(), 2);
    }

    #[test]
    fn the_page_follows_the_configured_path() {
        let reference = Reference::new("/internal/api/", "/spec.json", "Tasks");
        let paths: Vec<_> = reference.assets().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(paths, ["/internal/api", "/internal/api/reference.js", "/internal/api/boot.js"]);
        let page = body(&reference, 0);
        assert!(
            page.contains(r#"src="/internal/api/boot.js""#) && page.contains(r#"data-document="/spec.json""#),
            "{page}"
        );
        let at_root = Reference::new("/", "/spec.json", "Tasks");
        let paths: Vec<_> = at_root.assets().map(|(path, _)| path.to_owned()).collect();
        assert_eq!(paths, ["/", "/reference.js", "/boot.js"]);
    }

    #[test]
    fn the_stored_script_inflates_and_asks_for_no_eval() {
        let script = body(&Reference::new("/docs", "/openapi.json", "Tasks"), 1);
        assert!(script.len() > 1_000_000, "{} bytes", script.len());
        assert!(script.contains("@scalar/api-reference 1."));
        assert!(!script.contains("new Function(\"\")"));
    }

    #[test]
    fn everything_that_would_call_out_is_switched_off() {
        let boot = body(&Reference::new("/docs", "/openapi.json", "Tasks"), 2);
        for off in
            ["withDefaultFonts: false", "telemetry: false", "agent: { disabled: true }", "hideClientButton: true"]
        {
            assert!(boot.contains(off), "{off}");
        }
    }
}
