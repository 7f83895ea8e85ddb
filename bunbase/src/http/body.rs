//! Reading a body within its limit.

use actix_web::{
    dev::Payload,
    http::header::{self, HeaderMap},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::{Error, Result};

/// Returns the declared length of the body; `None` where it is not declared.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads the whole body. A body of one chunk is not copied.
///
/// # Errors
/// 413 as soon as it is known to be larger than `limit` bytes; 400 when the connection breaks or its framing is wrong.
pub(crate) async fn read(payload: &mut Payload, headers: &HeaderMap, limit: u64) -> Result<Bytes> {
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

pub(crate) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::bad_request("the body broke off or is not framed correctly").caused_by(error)
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
