//! Compression of whole answers.

use std::io::Write;

use actix_web::http::header::{self, HeaderMap};
use bytes::Bytes;

/// An encoding that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Brotli (RFC 7932).
    Brotli,
    /// gzip (RFC 1952).
    Gzip,
}

impl Encoding {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Compresses at a level for answers made on the fly: nearly all of the gain for a fraction of the time.
    pub(crate) fn apply(self, bytes: &[u8]) -> std::io::Result<Bytes> {
        match self {
            Self::Brotli => {
                let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 20);
                writer.write_all(bytes)?;
                Ok(writer.into_inner().into())
            }
            Self::Gzip => {
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(5));
                writer.write_all(bytes)?;
                Ok(writer.finish()?.into())
            }
        }
    }
}

/// Chooses the encoding that the caller likes best (RFC 9110 section 12.5.3); brotli where it likes both.
pub(crate) fn negotiate(headers: &HeaderMap) -> Option<Encoding> {
    let (mut brotli, mut gzip, mut any) = (None, None, None);
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for item in value.to_str().ok()?.split(',') {
            let mut parts = item.split(';');
            let name = parts.next().unwrap_or_default().trim();
            let quality = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
            let slot = match name {
                "br" => &mut brotli,
                "gzip" | "x-gzip" => &mut gzip,
                "*" => &mut any,
                _ => continue,
            };
            *slot = quality;
        }
    }
    let brotli = brotli.or(any).unwrap_or(0.0);
    let gzip = gzip.or(any).unwrap_or(0.0);
    match (brotli > 0.0, gzip > 0.0) {
        (true, _) if brotli >= gzip => Some(Encoding::Brotli),
        (_, true) => Some(Encoding::Gzip),
        _ => None,
    }
}

/// Returns whether bytes of this content type become smaller: text of any kind.
pub(crate) fn compressible(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/") && kind != "text/event-stream"
        || kind.ends_with("json")
        || kind.ends_with("xml")
        || matches!(kind, "application/javascript" | "application/wasm")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn the_liked_encoding_is_chosen() {
        for (header, expected) in [
            ("gzip, deflate, br", Some(Encoding::Brotli)),
            ("gzip;q=1.0, br;q=0.5", Some(Encoding::Gzip)),
            ("br;q=0, gzip", Some(Encoding::Gzip)),
            ("*", Some(Encoding::Brotli)),
            ("identity", None),
            ("gzip;q=0", None),
            ("", None),
            (";;;q=,", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(header));
            assert_eq!(negotiate(&headers), expected, "{header}");
        }
    }
}
