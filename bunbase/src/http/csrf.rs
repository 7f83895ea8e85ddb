//! Requests that somebody else's page makes in a user's name.

use actix_web::http::{
    Method,
    header::{self, HeaderMap, HeaderName},
};

use super::head::raw_cookie;
use crate::{Error, Result, error::code, seal::PageKeys};

/// The header in which a page shows a token of its session.
static TOKEN_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// What browsers say of the page that makes a request (W3C, "Fetch Metadata Request Headers"). Pages cannot change it.
static SITE_HEADER: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses requests that change something and come from a page of another origin, unless that is listed.
///
/// Browsers since 2023 say by `Sec-Fetch-Site` where a request comes from; those before them, and all of them over plain HTTP, by
/// `Origin`, with cookies and without: a page that signs its visitor in as somebody else needs none. Who says neither is no browser, or one of
/// before 2020, and needs a token if it has the cookie of a session.
///
/// Source: OWASP, "Cross-Site Request Forgery Prevention Cheat Sheet"; Go, `net/http.CrossOriginProtection`.
#[derive(Clone, Debug, Default)]
pub struct Csrf {
    rules: Option<Rules>,
}

#[derive(Clone, Debug)]
struct Rules {
    origins: Vec<String>,
    /// Whether those may send cookies.
    credentials: bool,
    exempt: Vec<String>,
    /// The names that the cookie of a session may have.
    cookies: [String; 2],
    keys: PageKeys,
}

impl Csrf {
    /// Lets pages of these origins in, with cookies where `credentials` says so, and everybody to the exempt paths. `cookie` is the name of
    /// the cookie of sessions, with and without the prefix `__Host-`; where there are no `keys`, no token is right.
    pub(crate) fn new(
        origins: Vec<String>,
        credentials: bool,
        exempt: Vec<String>,
        cookie: &str,
        keys: PageKeys,
    ) -> Self {
        let cookies = [format!("__Host-{cookie}"), cookie.to_owned()];
        Self { rules: Some(Rules { origins, credentials, exempt, cookies, keys }) }
    }

    /// Lets a request in, or refuses it. `host` and `is_secure` are what the client used.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn check<'r>(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        host: impl FnOnce() -> Option<&'r str>,
        is_secure: bool,
    ) -> Result<()> {
        let Some(rules) = &self.rules else { return Ok(()) };
        if method.is_safe() {
            return Ok(());
        }
        match headers.get(&SITE_HEADER).map(header::HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => Ok(()),
            None if !headers.contains_key(header::COOKIE) && !headers.contains_key(header::ORIGIN) => Ok(()),
            site => rules
                .check(site.is_some(), headers, host(), is_secure)
                .or_else(|error| if rules.exempt.iter().any(|exempt| exempt == path) { Ok(()) } else { Err(error) }),
        }
    }
}

impl Rules {
    fn check(&self, is_foreign: bool, headers: &HeaderMap, host: Option<&str>, is_secure: bool) -> Result<()> {
        let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
        let has_cookie = headers.contains_key(header::COOKIE);
        match origin {
            Some(origin) if self.lists(origin, has_cookie) => Ok(()),
            Some(origin) if !is_foreign && host.is_some_and(|host| is_own(origin, host, is_secure)) => Ok(()),
            None if !is_foreign => self.check_token(headers),
            _ => Err(refused(
                "this request comes from a page of another origin; `cors.origins` lists the origins whose pages may make it, and with \
                 cookies only where `cors.credentials` is true",
            )),
        }
    }

    fn lists(&self, origin: &str, with_cookie: bool) -> bool {
        let is_listed = self.origins.iter().any(|listed| listed == origin);
        if with_cookie { self.credentials && is_listed } else { is_listed || self.origins.iter().any(|one| one == "*") }
    }

    /// Asks for a token where the cookie of a session is there: every one of them, because only the session knows which one counts.
    fn check_token(&self, headers: &HeaderMap) -> Result<()> {
        let sent = headers.get(&TOKEN_HEADER).and_then(|token| token.to_str().ok());
        let is_right = |token: &str, cookie: &str| self.keys.get().is_ok_and(|keys| keys.accepts(token, cookie));
        let is_shown = |cookie: &str| sent.is_some_and(|token| is_right(token, cookie));
        if self.cookies.iter().filter_map(|name| raw_cookie(headers, name)).all(is_shown) {
            return Ok(());
        }
        Err(refused(
            "this request has the cookie of a session and does not say what page it comes from; send `Origin` or \
             `Sec-Fetch-Site`, as browsers do, or the session's token as `X-CSRF-Token`; a program sends a bearer token or an API key \
             instead of the cookie",
        ))
    }
}

fn refused(detail: &'static str) -> Error {
    Error::new(403, code::CSRF_REFUSED, detail)
}

/// Returns whether a page of this origin is one of the server's own. A page that came encrypted is no less its own where the way here
/// seems not to be: whoever ended the encryption may not have said so.
fn is_own(origin: &str, host: &str, is_secure: bool) -> bool {
    let (authority, usual_port) = match origin.split_once("://") {
        Some(("https", authority)) => (authority, ":443"),
        Some(("http", authority)) if !is_secure => (authority, ":80"),
        _ => return false,
    };
    host.strip_suffix(usual_port).unwrap_or(host).eq_ignore_ascii_case(authority)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;
    use crate::seal::CsrfKeys;

    const LISTED: &str = "https://listed.example";
    const COOKIE: &str = "a=b";

    fn keys() -> CsrfKeys {
        CsrfKeys::new(["a secret of at least 32 bytes, for tests of tokens"]).unwrap()
    }

    fn none() -> PageKeys {
        PageKeys::new(|| Err(Error::internal("there is no secret")))
    }

    fn csrf(credentials: bool) -> Csrf {
        let exempt = vec!["/callback".to_owned()];
        Csrf::new(vec![LISTED.to_owned()], credentials, exempt, "session", PageKeys::new(|| Ok(keys())))
    }

    fn map(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    /// Whether a POST over HTTPS to `app.example` is let in.
    fn passes(csrf: &Csrf, pairs: &[(&'static str, &str)]) -> bool {
        csrf.check(&Method::POST, "/", &map(pairs), || Some("app.example"), true).is_ok()
    }

    #[test]
    fn what_the_browser_says_of_the_page_decides() {
        for (site, origin, expected) in [
            ("same-origin", "https://app.example", true),
            ("none", "null", true),
            ("same-site", "https://other.example", false),
            ("cross-site", "https://evil.example", false),
            ("cross-site", LISTED, true),
            // What it is called does not count where the browser says that it is another one.
            ("cross-site", "https://app.example", false),
            ("cross-site", "null", false),
            ("nonsense", "https://evil.example", false),
            ("", "https://evil.example", false),
        ] {
            let headers = [("cookie", COOKIE), ("sec-fetch-site", site), ("origin", origin)];
            assert_eq!(passes(&csrf(true), &headers), expected, "{site} {origin}");
        }
    }

    #[test]
    fn a_foreign_page_is_refused_without_cookies_too_where_it_is_known_to_be_one() {
        let foreign = |origin| [("sec-fetch-site", "cross-site"), ("origin", origin)];
        // It could sign its visitor in as somebody else.
        assert!(!passes(&csrf(true), &foreign("https://evil.example")));
        assert!(passes(&csrf(false), &foreign(LISTED)));
        let any = Csrf::new(vec!["*".to_owned()], false, Vec::new(), "session", none());
        assert!(passes(&any, &foreign("https://evil.example")));
        assert!(!passes(
            &any,
            &[("cookie", COOKIE), ("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]
        ));
    }

    #[test]
    fn an_older_browser_is_judged_by_the_origin() {
        for (origin, expected) in [
            ("https://app.example", true),
            ("https://APP.example", true),
            ("http://app.example", false),
            ("https://app.example:8443", false),
            ("https://evil.example", false),
            ("https://app.example.evil.example", false),
            ("null", false),
            ("", false),
            (LISTED, true),
        ] {
            assert_eq!(passes(&csrf(true), &[("cookie", COOKIE), ("origin", origin)]), expected, "{origin}");
        }
        assert!(!passes(&csrf(false), &[("cookie", COOKIE), ("origin", LISTED)]));
        // Without a cookie as well: it could sign its visitor in as somebody else.
        assert!(!passes(&csrf(true), &[("origin", "https://evil.example")]));
        assert!(passes(&csrf(true), &[("origin", "https://app.example")]));
        assert!(passes(&csrf(false), &[("origin", LISTED)]));
        let plain = |origin: &str, host: &str| {
            let headers = map(&[("cookie", COOKIE), ("origin", origin)]);
            csrf(true).check(&Method::POST, "/", &headers, || Some(host), false).is_ok()
        };
        assert!(plain("http://app.example", "app.example:80") && plain("http://[::1]:3000", "[::1]:3000"));
        // A proxy that is not trusted has ended the encryption.
        assert!(plain("https://app.example", "app.example"));
    }

    #[test]
    fn who_says_nothing_needs_a_token_only_with_a_session() {
        let csrf = csrf(true);
        assert!(passes(&csrf, &[]) && passes(&csrf, &[("content-type", "application/x-www-form-urlencoded")]));
        assert!(passes(&csrf, &[("cookie", COOKIE)]));
        assert!(passes(&csrf, &[("authorization", "Bearer x")]));
        let token = keys().token("value").unwrap();
        for cookie in ["session=value", "__Host-session=value", "a=b; session=\"value\""] {
            assert!(!passes(&csrf, &[("cookie", cookie)]), "{cookie}");
            assert!(!passes(&csrf, &[("cookie", cookie), ("x-csrf-token", "nonsense")]), "{cookie}");
            assert!(passes(&csrf, &[("cookie", cookie), ("x-csrf-token", &token)]), "{cookie}");
        }
        // A cookie that a neighbour has set does not make its token count for the other one.
        let planted = [("cookie", "__Host-session=other; session=value"), ("x-csrf-token", token.as_str())];
        assert!(!passes(&csrf, &planted));
        let keyless = Csrf::new(Vec::new(), false, Vec::new(), "session", none());
        assert!(!passes(&keyless, &[("cookie", "session=value"), ("x-csrf-token", &token)]));
    }

    #[test]
    fn what_changes_nothing_and_what_is_exempt_is_let_in() {
        let headers = map(&[("cookie", COOKIE), ("sec-fetch-site", "cross-site")]);
        let check = |csrf: &Csrf, method: Method, path: &str| {
            csrf.check(&method, path, &headers, || Some("app.example"), true).is_ok()
        };
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(check(&csrf(true), method, "/"));
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"] {
            assert!(!check(&csrf(true), method.parse().unwrap(), "/"), "{method}");
        }
        assert!(check(&csrf(true), Method::POST, "/callback") && !check(&csrf(true), Method::POST, "/callback/"));
        assert!(check(&Csrf::default(), Method::POST, "/"));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(origin in "[ -~]{0,30}", host in "[ -~]{0,30}", cookie in "[ -~]{0,30}") {
            let headers = map(&[("cookie", &cookie), ("origin", &origin)]);
            let _ = csrf(true).check(&Method::POST, "/", &headers, || Some(&host), true);
        }
    }
}
