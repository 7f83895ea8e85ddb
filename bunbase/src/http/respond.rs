//! From a [`Reply`] to an HTTP response.

use std::borrow::Cow;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    cookie::{Cookie, SameSite as ActixSameSite, time::Duration as CookieDuration},
    http::{
        Method, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};

use bytes::Bytes;
use futures_util::{TryStreamExt, future::LocalBoxFuture, stream};

use super::{
    compress,
    detach::{Counted, Running},
    head::Head,
    problem,
    settings::Settings,
};
use crate::{
    Error, Result,
    action::{Body, Reply, SetCookie},
    asset::{self, Coding},
    context::TraceId,
    schema::SameSite,
};

/// What an action's attribute says about its answers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) status: Option<u16>,
    pub(crate) content_type: Option<&'static str>,
    /// Whether callers that have the answer already are told so (RFC 9110 section 13.1.2).
    pub(crate) conditional: bool,
}

/// Answers above this size are compressed on another thread.
const LARGE: usize = 128 * 1024;

/// A response, or what makes it on another thread. Whoever has to wait does so by itself: a future that held both would be large.
pub(crate) enum Made {
    Now(HttpResponse),
    Later(LocalBoxFuture<'static, Result<HttpResponse>>),
}

/// Writes a reply. What takes longer goes on `running` until it has ended.
///
/// # Errors
/// 500 when a header or a cookie has a value that HTTP cannot carry, or the answer could not be compressed.
pub(crate) fn respond(
    reply: Reply,
    overrides: Overrides,
    head: &Head,
    settings: &Settings,
    trace: TraceId,
    running: Running,
) -> Result<Made> {
    let status = overrides.status.unwrap_or(reply.status);
    let status = match (&reply.body, status) {
        (Body::Empty, 200) => 204,
        (_, status) => status,
    };
    let mut builder = HttpResponseBuilder::new(StatusCode::from_u16(status).map_err(Error::internal)?);
    let is_known = overrides.conditional
        && reply.headers.iter().any(|(name, etag)| name == "etag" && asset::names(&head.if_none_match(), etag));
    if is_known {
        builder.status(StatusCode::NOT_MODIFIED);
    }
    for (name, value) in reply.headers {
        let value = HeaderValue::from_str(&value)
            .map_err(|error| Error::internal(format!("the header `{name}` cannot have this value: {error}")))?;
        builder.append_header((HeaderName::from_bytes(name.as_bytes()).map_err(Error::internal)?, value));
    }
    for cookie in &reply.cookies {
        builder.append_header((header::SET_COOKIE, set_cookie(cookie)));
    }
    match reply.body {
        Body::Empty => Ok(Made::Now(builder.finish())),
        Body::Bytes { content_type, bytes } => {
            let content_type = overrides.content_type.map_or(content_type, Into::into);
            let wanted = settings.compression
                && bytes.len() as u64 >= settings.compression_min_bytes
                && compress::compressible(&content_type);
            if wanted {
                builder.append_header((header::VARY, "Accept-Encoding"));
            }
            builder.insert_header((header::CONTENT_TYPE, header_value(content_type)?));
            if is_known {
                return Ok(Made::Now(builder.finish()));
            }
            let coding = wanted.then(|| Coding::accepted(compress::accepted(&head.headers)).next()).flatten();
            let Some(coding) = coding else { return Ok(Made::Now(builder.body(bytes))) };
            builder.insert_header((header::CONTENT_ENCODING, coding.as_str()));
            if bytes.len() < LARGE {
                return Ok(Made::Now(builder.body(compress::apply(coding, &bytes).map_err(Error::internal)?)));
            }
            Ok(Made::Later(Box::pin(async move {
                let _running = running;
                let packing = tokio::task::spawn_blocking(move || compress::apply(coding, &bytes));
                Ok(builder.body(packing.await.map_err(Error::internal)?.map_err(Error::internal)?))
            })))
        }
        Body::Stream { content_type, stream } => {
            let content_type = overrides.content_type.map_or(content_type, Into::into);
            builder.insert_header((header::CONTENT_TYPE, header_value(content_type)?));
            if head.method == Method::HEAD {
                // The server would wait for the end of a stream that nobody reads, and some have none.
                return Ok(Made::Now(builder.streaming(stream::empty::<Result<Bytes>>())));
            }
            // The status is on its way: the log is all that is left to tell.
            let stream = stream.inspect_err(move |error| problem::log(error, trace));
            Ok(Made::Now(builder.streaming(Counted::new(stream, running))))
        }
    }
}

/// Makes the value of a header; a text that is part of the program is not copied.
fn header_value(text: Cow<'static, str>) -> Result<HeaderValue> {
    let bytes = match text {
        Cow::Borrowed("application/json") => return Ok(HeaderValue::from_static("application/json")),
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    };
    HeaderValue::from_maybe_shared(bytes).map_err(Error::internal)
}

/// Writes the value of `Set-Cookie`; name and value percent-encoded.
fn set_cookie(cookie: &SetCookie) -> String {
    let rules = cookie.rules;
    let mut builder =
        Cookie::build(cookie.name.clone(), cookie.value.clone().unwrap_or_default()).path(rules.path.unwrap_or("/"));
    if let Some(domain) = rules.domain {
        builder = builder.domain(domain);
    }
    let age = if cookie.value.is_none() { Some(std::time::Duration::ZERO) } else { rules.max_age };
    if let Some(age) = age {
        builder = builder.max_age(CookieDuration::seconds(i64::try_from(age.as_secs()).unwrap_or(i64::MAX)));
    }
    if let Some(site) = rules.same_site {
        builder = builder.same_site(match site {
            SameSite::Strict => ActixSameSite::Strict,
            SameSite::Lax => ActixSameSite::Lax,
            SameSite::None => ActixSameSite::None,
        });
    }
    if rules.secure {
        builder = builder.secure(true);
    }
    if rules.http_only {
        builder = builder.http_only(true);
    }
    let mut text = builder.finish().encoded().to_string();
    if rules.partitioned {
        // The cookie crate of actix-web does not know this attribute yet.
        text.push_str("; Partitioned");
    }
    text
}
