//! Compression of whole answers.

use std::io::Write;

use actix_web::http::header::{self, HeaderMap};
use bytes::Bytes;

use crate::asset::Coding;

/// Compresses at a level for answers made on the fly: nearly all of the gain for a fraction of the time.
pub(crate) fn apply(coding: Coding, bytes: &[u8]) -> std::io::Result<Bytes> {
    match coding {
        Coding::Brotli => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 20);
            writer.write_all(bytes)?;
            Ok(writer.into_inner().into())
        }
        Coding::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(5));
            writer.write_all(bytes)?;
            Ok(writer.finish()?.into())
        }
    }
}

/// Returns `Accept-Encoding`, empty where there is none that is text.
pub(crate) fn accepted(headers: &HeaderMap) -> &str {
    headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Returns whether bytes of this content type become smaller: text of any kind.
pub(crate) fn compressible(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/") && kind != "text/event-stream"
        || kind.ends_with("json")
        || kind.ends_with("xml")
        || matches!(kind, "application/javascript" | "application/wasm")
}
