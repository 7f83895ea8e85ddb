//! Reading a body within its limit.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    dev::Payload,
    error::PayloadError,
    http::header::{self, HeaderMap},
};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until};

use super::head::Head;
use crate::{Error, Result, error::code};

/// The least that a body brings on average: for each of these bytes its time limit is a second later.
pub const BYTES_PER_SECOND: u64 = 500;

/// A body that has to keep coming: it ends with an error when its time is over. Nobody holds a connection, and what waits for it, by
/// sending one byte now and then.
pub(crate) struct Paced<'h, S> {
    body: S,
    limit: Duration,
    received: u64,
    /// When it first had to be waited for, with what wakes whoever waits too long.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    head: Option<&'h Head>,
}

impl<'h, S> Paced<'h, S> {
    /// Gives a body this long, and longer as it comes; zero is without limit.
    pub(crate) fn new(body: S, limit: Duration) -> Self {
        Self { body, limit, received: 0, waiting: None, head: None }
    }

    /// Says whose body it is; see [`Head::is_polled_again`].
    pub(crate) fn of(self, head: &'h Head) -> Self {
        Self { head: Some(head), ..self }
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for Paced<'_, S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let next = this.body.poll_next_unpin(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            this.received += chunk.len() as u64;
        }
        if next.is_ready() || this.limit.is_zero() || this.head.is_some_and(Head::is_polled_again) {
            return next;
        }
        let time = this.limit + Duration::from_secs(this.received / BYTES_PER_SECOND);
        let (since, timer) = this.waiting.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + time)))
        });
        if timer.deadline() != *since + time {
            timer.as_mut().reset(*since + time);
        }
        let over = timer.as_mut().poll(cx);
        over.map(|()| Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))))
    }
}

/// Returns the declared length of the body; `None` where it is not declared.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the whole body. A body of one chunk is not copied.
///
/// # Errors
/// 413 as soon as it is known to be larger than `limit` bytes; 408 when it does not come in time; 400 when the connection breaks or
/// its framing is wrong.
pub(crate) async fn read(mut payload: Paced<'_, &mut Payload>, headers: &HeaderMap, limit: u64) -> Result<Bytes> {
    if declared_length(headers).is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(broken)?;
    if first.len() as u64 > limit {
        return Err(too_large(limit));
    }
    let Some(second) = payload.next().await else { return Ok(first) };
    let mut all = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        let chunk = chunk.map_err(broken)?;
        if (all.len() + chunk.len()) as u64 > limit {
            return Err(too_large(limit));
        }
        all.extend_from_slice(&chunk);
        next = payload.next().await;
    }
    Ok(all.freeze())
}

pub(crate) fn too_large(limit: u64) -> Error {
    Error::new(413, "body_too_large", format!("the body is larger than {limit} bytes"))
}

pub(crate) fn broken(error: PayloadError) -> Error {
    if is_late(&error) {
        return Error::new(408, code::BODY_TIMEOUT, "the body did not come in time; see `http.body_timeout`");
    }
    Error::bad_request("the body broke off or is not framed correctly").caused_by(error)
}

fn is_late(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}

pub(crate) fn unsupported(expected: &str) -> Error {
    Error::new(415, "unsupported_media_type", format!("send the body as `Content-Type: {expected}`"))
}

/// Makes sure that the body is sent as it is.
///
/// # Errors
/// 415 for one that is compressed: a small body could become a large one, beyond every limit.
pub(crate) fn plain(headers: &HeaderMap) -> Result<()> {
    let is_plain = |value: &header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).all(is_plain) {
        return Ok(());
    }
    Err(Error::new(415, "unsupported_media_type", "send the body without `Content-Encoding`; it is read as it is"))
}

/// Returns whether the content type is JSON: `application/json` or `…+json`, with any parameters.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return false };
    if value == "application/json" {
        return true;
    }
    let kind: Option<mime::Mime> = value.to_str().ok().and_then(|value| value.parse().ok());
    kind.is_some_and(|kind| {
        kind.type_() == mime::APPLICATION && (kind.subtype() == mime::JSON || kind.suffix() == Some(mime::JSON))
    })
}
