//! The endpoints that every application has: health, documents served from memory, and the way to another door.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    http::header::{self, HeaderMap, HeaderValue},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::Mutex;

use super::{
    access::Token,
    body::{self, Paced},
    compress::accepted,
    health::Health,
    respond::{self, Made, Overrides},
    table::Arrival,
};
use crate::{
    Error, Result,
    action::Reply,
    asset::Asset,
    context::{Request, RequestHead},
    error::code,
    observe::{Format, Metrics, trace::Parent},
};

pub(crate) use super::table::Builtin;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// A POST request on its way to another door, in words that are not actix's.
#[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only the door of tools is reached so"))]
pub(crate) struct Passage {
    pub(crate) request: Request,
    pub(crate) headers: Vec<(String, Bytes)>,
    pub(crate) body: Bytes,
    pub(crate) trace: Parent,
    /// Counts the run, until it is dropped.
    pub(crate) running: Arc<dyn Any + Send + Sync>,
}

/// Passes POST requests on to another door. An error becomes a problem.
#[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only the door of tools is reached so"))]
pub(crate) fn pass(
    answer: impl Fn(Passage) -> BoxFuture<'static, Result<Reply>> + Clone + Send + Sync + 'static,
) -> Builtin {
    Builtin::Post(Arc::new(move |arrival| {
        let answer = answer.clone();
        Box::pin(async move { passed(arrival, answer).await })
    }))
}

async fn passed(
    arrival: Arrival,
    answer: impl Fn(Passage) -> BoxFuture<'static, Result<Reply>>,
) -> Result<HttpResponse> {
    let Arrival { head, mut payload, trace, running, settings } = arrival;
    let reading = body::read(Paced::new(&mut payload, settings.body_timeout), &head.headers, settings.max_body_bytes);
    let body = match settings.request_timeout {
        limit if limit.is_zero() => reading.await?,
        limit => tokio::time::timeout(limit, reading)
            .await
            .map_err(|_| Error::new(504, code::TIMEOUT, "the body took too long to arrive"))??,
    };
    let headers = head.headers.iter().map(|(name, value)| {
        // Owned: the other door may keep them longer than this request lives.
        (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes()))
    });
    let mut headers: Vec<_> = headers.collect();
    if let Some(host) = head.host().filter(|_| !head.headers.contains_key(header::HOST)) {
        // HTTP/2 has it in the request line.
        headers.push(("host".to_owned(), Bytes::copy_from_slice(host.as_bytes())));
    }
    let request = Request::new(head.clone());
    let id = trace.trace;
    let sending = running.another();
    let reply = answer(Passage { request, headers, body, trace, running: Arc::new(running) }).await?;
    match respond::respond(reply, Overrides::default(), &head, &settings, id, sending)? {
        Made::Now(response) => Ok(response),
        Made::Later(making) => making.await,
    }
}

/// Serves an asset, 304 where the caller has it already. `policy` is the `Content-Security-Policy` of a page.
pub(crate) fn asset(asset: Arc<Asset>, policy: Option<&'static str>) -> Builtin {
    Builtin::Get(Arc::new(move |head| {
        let response = answer(&asset, policy, &head.headers);
        Box::pin(async move { Ok(response) })
    }))
}

/// Sends callers of one path to another, for good.
pub(crate) fn redirect(to: &str) -> Builtin {
    let to: Arc<str> = to.into();
    Builtin::Get(Arc::new(move |_head| {
        let response = HttpResponse::PermanentRedirect().insert_header((header::LOCATION, &*to)).finish();
        Box::pin(async move { Ok(response) })
    }))
}

fn answer(asset: &Asset, policy: Option<&'static str>, headers: &HeaderMap) -> HttpResponse {
    let form = asset.choose(accepted(headers));
    let mut known = headers.get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    let is_fresh = known.any(|tags| form.is_fresh(tags));
    let mut response = if is_fresh { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, form.etag));
    response.insert_header((header::VARY, "Accept-Encoding"));
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    if let Some(policy) = policy {
        response.insert_header((header::CONTENT_SECURITY_POLICY, policy));
        response.insert_header((header::REFERRER_POLICY, "no-referrer"));
    }
    if is_fresh {
        return response.finish();
    }
    if let Some(encoding) = form.encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    response.insert_header((header::CONTENT_TYPE, asset.content_type())).body(form.bytes)
}

/// `/_health/live`: the process answers.
pub(crate) fn live(health: Arc<Health>) -> Builtin {
    Builtin::Get(Arc::new(move |_head| {
        let uptime = health.uptime().as_secs();
        Box::pin(async move { Ok(plain(200, &json!({ "status": "ok", "uptime_s": uptime }))) })
    }))
}

/// `/_health/ready`: the process can do its work, as far as all its checks say, and is not about to stop.
pub(crate) fn ready(health: Arc<Health>) -> Builtin {
    Builtin::Get(Arc::new(move |_head| {
        let health = health.clone();
        Box::pin(async move {
            if health.is_stopping() {
                return Ok(plain(503, &json!({ "status": "stopping" })));
            }
            let (report, _) = health.report().await;
            Ok(plain(if report.is_ready { 200 } else { 503 }, &json!({ "status": report.status })))
        })
    }))
}

/// What an endpoint says.
pub(crate) struct Said {
    content_type: &'static str,
    bytes: Vec<u8>,
}

impl Said {
    pub(crate) fn new(content_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { content_type, bytes }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::new("application/json", value.to_string().into_bytes())
    }
}

/// The query of a request to an endpoint.
#[cfg_attr(
    not(any(feature = "profiling", feature = "heap-profiling")),
    expect(dead_code, reason = "others ask nothing")
)]
pub(crate) struct Query(Vec<(String, String)>);

#[cfg(any(feature = "profiling", feature = "heap-profiling"))]
impl Query {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// 422 when it is there and no whole number.
    #[cfg(feature = "profiling")]
    pub(crate) fn number(&self, name: &str, otherwise: u64) -> Result<u64> {
        let wrong = || Error::new(422, "query", format!("`{name}` is no whole number"));
        self.text(name).map_or(Ok(otherwise), |text| text.parse().map_err(|_| wrong()))
    }
}

/// Answers GET with what something says.
pub(crate) fn say<F>(say: impl Fn(Query) -> F + Send + Sync + 'static) -> Builtin
where
    F: Future<Output = Result<Said>> + 'static,
{
    Builtin::Get(Arc::new(move |head| {
        let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
        let saying = say(Query(query.into_owned().collect()));
        Box::pin(async move { saying.await.map(said) })
    }))
}

/// Hands the text of POST requests, at most 4 KiB, to something, and answers with what that says.
pub(crate) fn take<F>(take: impl Fn(String) -> F + Clone + Send + Sync + 'static) -> Builtin
where
    F: Future<Output = Result<Said>> + 'static,
{
    const MOST_BYTES: u64 = 4 << 10;
    Builtin::Post(Arc::new(move |arrival| {
        let take = take.clone();
        Box::pin(async move {
            let Arrival { head, mut payload, settings, .. } = arrival;
            let bytes = body::read(Paced::new(&mut payload, settings.body_timeout), &head.headers, MOST_BYTES).await?;
            let text = String::from_utf8(bytes.to_vec())
                .map_err(|_| Error::new(400, "body", "the body is no text in UTF-8"))?;
            take(text).await.map(said)
        })
    }))
}

fn said(said: Said) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, said.content_type))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(said.bytes)
}

/// Serves what is measured, as text that is at most so old.
pub(crate) fn metrics(metrics: Metrics, max_age: Duration) -> Builtin {
    let shared = Arc::new(Scrapes { metrics, max_age, last: Default::default() });
    Builtin::Get(Arc::new(move |head| {
        let shared = shared.clone();
        let accept = head.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let format = Format::accepted(accept);
        Box::pin(async move {
            Ok(HttpResponse::Ok()
                .insert_header((header::CONTENT_TYPE, HeaderValue::from_static(format.content_type())))
                .insert_header((header::CACHE_CONTROL, NO_STORE))
                .insert_header((header::VARY, HeaderValue::from_static("Accept")))
                .body(shared.text(format).await))
        })
    }))
}

/// What was served last, in each format: to write it asks every series.
struct Scrapes {
    metrics: Metrics,
    max_age: Duration,
    last: [Mutex<Option<(Instant, Bytes)>>; 2],
}

impl Scrapes {
    async fn text(&self, format: Format) -> Bytes {
        if self.max_age.is_zero() {
            return self.metrics.current(format).await.into();
        }
        let index = match format {
            Format::Prometheus => 0,
            Format::OpenMetrics => 1,
        };
        // Held while it is written: those who come together share it.
        let mut last = self.last[index].lock().await;
        if let Some((at, text)) = last.as_ref()
            && at.elapsed() < self.max_age
        {
            return text.clone();
        }
        let text = Bytes::from(self.metrics.current(format).await);
        *last = Some((Instant::now(), text.clone()));
        text
    }
}

/// Who may see something.
#[derive(Clone)]
pub(crate) enum Readers {
    /// Everybody.
    All,
    /// Who brings the token.
    Token(Token),
    /// Nobody.
    Nobody,
}

/// `/_health`: every check with its latency, for its readers; the status, for all others. `version` is the application's.
pub(crate) fn full(health: Arc<Health>, version: &str, readers: Readers) -> Builtin {
    let version: Arc<str> = version.into();
    Builtin::Get(Arc::new(move |head| {
        let (health, version) = (health.clone(), version.clone());
        let has_details = match &readers {
            Readers::All => true,
            Readers::Token(token) => token.opens(&head.headers),
            Readers::Nobody => false,
        };
        Box::pin(async move {
            let (report, age) = health.report().await;
            let status = if health.is_stopping() { "stopping" } else { report.status };
            let code = if report.is_ready && !health.is_stopping() { 200 } else { 503 };
            if !has_details {
                return Ok(plain(code, &json!({ "status": status })));
            }
            let facts = health.facts().await;
            let uptime_s = health.uptime().as_secs();
            let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
            let (checks, facts) = (&report.checks, &facts);
            Ok(plain(code, &Details { status, version: &version, uptime_s, age_ms, checks, facts }))
        })
    }))
}

/// What `/_health` tells its readers.
#[derive(Serialize)]
struct Details<'d> {
    status: &'d str,
    version: &'d str,
    uptime_s: u64,
    age_ms: u64,
    checks: &'d RawValue,
    #[serde(flatten)]
    facts: &'d BTreeMap<String, Box<RawValue>>,
}

fn plain(status: u16, body: &impl Serialize) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, NO_STORE));
    if status.is_server_error() {
        response.insert_header((header::RETRY_AFTER, HeaderValue::from_static("1")));
    }
    // Texts and numbers: there is nothing that JSON has no words for.
    let text = serde_json::to_vec(body).unwrap_or_default();
    response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json"))).body(text)
}
