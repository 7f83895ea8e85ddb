//! The endpoint of metrics: what is measured, for those who may know it.

use std::{net::IpAddr, sync::Arc};

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderMap},
};

use super::{builtin::Builtin, head::Head, service::nothing_here};
use crate::{
    Error, Result,
    guard::ApiKeys,
    observe::{CONTENT_TYPE, Metrics},
};

/// Headers that a proxy adds: the caller is not who the connection is from.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// Who may read the metrics.
pub(crate) enum Readers {
    /// Whoever sends this token.
    Token(ApiKeys),
    /// Who is on the same machine and does not come by way of a proxy.
    Local,
    /// Everybody: it is development.
    All,
}

/// Serves metrics.
pub(crate) fn metrics(metrics: Metrics, readers: Readers) -> Builtin {
    let readers = Arc::new(readers);
    Builtin::Check(Arc::new(move |head| {
        let (may_read, metrics) = (readers.check(&head), metrics.clone());
        Box::pin(async move {
            may_read?;
            Ok(HttpResponse::Ok()
                .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .body(metrics.current().await))
        })
    }))
}

impl Readers {
    /// # Errors
    /// 401 without the token; 404, as if nothing were there, for who is not on the same machine.
    fn check(&self, head: &Head) -> Result<()> {
        match self {
            Self::All => Ok(()),
            Self::Token(token) if bearer(&head.headers).is_some_and(|sent| token.holder(sent).is_some()) => Ok(()),
            Self::Token(_) => {
                Err(Error::new(401, "unauthorized", "send the token of `metrics.token` as `Authorization: Bearer …`"))
            }
            Self::Local if is_direct(head) => Ok(()),
            Self::Local => Err(nothing_here()),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Returns whether a request comes from the same machine, and not by way of a proxy there.
fn is_direct(head: &Head) -> bool {
    let is_local = |address: Option<IpAddr>| address.is_some_and(|address| address.to_canonical().is_loopback());
    let is_forwarded = FORWARDED.iter().any(|name| head.headers.contains_key(*name));
    is_local(head.peer) && is_local(head.client_ip) && !is_forwarded
}

#[cfg(test)]
mod tests {
    use actix_web::http::{
        Method, Uri,
        header::{HeaderName, HeaderValue},
    };

    use super::*;

    fn head(peer: &str, headers: &[(&'static str, &'static str)]) -> Head {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        Head {
            method: Method::GET,
            uri: Uri::from_static("/_metrics"),
            headers,
            peer: peer.parse().ok(),
            client_ip: peer.parse().ok(),
            param_names: Arc::new([]),
            params: Vec::new(),
        }
    }

    fn status(readers: &Readers, head: &Head) -> u16 {
        readers.check(head).map_or_else(|error| error.status(), |()| 200)
    }

    #[test]
    fn without_a_token_only_the_same_machine_is_answered_and_no_proxy_on_it() {
        let local = Readers::Local;
        for (peer, headers, expected) in [
            ("127.0.0.1", &[][..], 200),
            ("::1", &[], 200),
            ("::ffff:127.0.0.1", &[], 200),
            ("10.0.0.7", &[], 404),
            ("", &[], 404),
            ("127.0.0.1", &[("x-forwarded-for", "203.0.113.9")], 404),
            ("127.0.0.1", &[("forwarded", "for=203.0.113.9")], 404),
        ] {
            assert_eq!(status(&local, &head(peer, headers)), expected, "{peer} {headers:?}");
        }
        assert_eq!(status(&Readers::All, &head("10.0.0.7", &[])), 200);
    }

    #[test]
    fn with_a_token_it_must_be_sent_from_wherever() {
        let readers = Readers::Token(ApiKeys::new().with("metrics", "a-long-random-secret"));
        for (sent, expected) in [
            ("Bearer a-long-random-secret", 200),
            ("bearer a-long-random-secret", 200),
            ("Bearer another", 401),
            ("Basic a-long-random-secret", 401),
            ("a-long-random-secret", 401),
        ] {
            assert_eq!(status(&readers, &head("10.0.0.7", &[("authorization", sent)])), expected, "{sent}");
        }
        assert_eq!(status(&readers, &head("127.0.0.1", &[])), 401);
    }
}
