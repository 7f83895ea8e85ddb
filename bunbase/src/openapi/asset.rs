//! A document that is served from memory: its bytes, its compressed forms and its entity tag.

use std::{fmt::Write as _, io::Write as _};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// How hard brotli tries, of 11. A debug build is not optimised and starts often.
const BROTLI_QUALITY: i32 = if cfg!(debug_assertions) { 4 } else { 9 };

/// Bytes that do not change while the process lives, in every encoding that they are served in. Cheap to clone.
///
/// ```
/// # use bunbase::openapi::Asset;
/// let page = Asset::new("text/html; charset=utf-8", "<p>".repeat(1000));
/// assert!(page.gzip.len() < page.identity.len());
/// assert_eq!(page.etag.len(), 18);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The bytes as they are.
    pub identity: Bytes,
    /// The bytes in gzip (RFC 1952).
    pub gzip: Bytes,
    /// The bytes in brotli (RFC 7932); `None` where that is not smaller than gzip.
    pub brotli: Option<Bytes>,
    /// The strong entity tag of the bytes as they are: 16 hexadecimal digits of their SHA-256, with quotes. An encoding is a
    /// representation of its own and needs another tag, such as this one with a suffix (RFC 9110 section 8.8.3.3).
    pub etag: String,
}

impl Asset {
    /// Compresses the bytes and computes the tag.
    pub fn new(content_type: &'static str, identity: impl Into<Bytes>) -> Self {
        let identity = identity.into();
        let gzip = gzip(&identity);
        let brotli = Some(brotli(&identity)).filter(|brotli| !brotli.is_empty() && brotli.len() < gzip.len());
        let mut etag = String::with_capacity(18);
        etag.push('"');
        for byte in &Sha256::digest(&identity)[..8] {
            // Writing to a `String` cannot fail.
            let _ = write!(etag, "{byte:02x}");
        }
        etag.push('"');
        Self { content_type, identity, gzip, brotli, etag }
    }
}

// Writing into a `Vec` does not fail, in both.
fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

fn brotli(bytes: &[u8]) -> Bytes {
    let params = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        size_hint: bytes.len(),
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        ..Default::default()
    };
    let mut compressed = Vec::new();
    let _ = brotli::BrotliCompress(&mut &*bytes, &mut compressed, &params);
    compressed.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn both_compressed_forms_hold_the_same_bytes() {
        let page = Asset::new("text/plain", "the same words again and again ".repeat(200));
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(page.gzip.as_ref()).read_to_end(&mut text).unwrap();
        assert_eq!(text, page.identity.as_ref());
        text.clear();
        brotli::BrotliDecompress(&mut page.brotli.unwrap().as_ref(), &mut text).unwrap();
        assert_eq!(text, page.identity.as_ref());
    }

    #[test]
    fn the_tag_names_the_content() {
        assert_eq!(Asset::new("text/plain", "hello").etag, "\"2cf24dba5fb0a30e\"");
        assert_ne!(Asset::new("text/plain", "hello").etag, Asset::new("text/plain", "hullo").etag);
    }
}
