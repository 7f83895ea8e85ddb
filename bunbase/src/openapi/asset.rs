//! A document that is served from memory: its bytes, its compressed forms and their validators.

use std::{fmt::Write as _, io::Write as _, sync::OnceLock};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

/// Below this many bytes a compressed form saves nothing that a network packet would show.
const SMALLEST_TO_COMPRESS: usize = 1024;

/// Bytes that do not change while the process lives, with gzip and brotli forms that are made once.
///
/// ```
/// # use bunbase::openapi::Asset;
/// let page = Asset::new("text/html; charset=utf-8", "<p>".repeat(1000));
/// let answer = page.choose("gzip, br;q=0.5");
/// assert_eq!(answer.encoding, Some("gzip"));
/// assert!(page.choose("gzip").is_fresh(&answer.etag));
/// ```
#[derive(Debug)]
pub struct Asset {
    content_type: &'static str,
    identity: Bytes,
    gzip: OnceLock<Option<Bytes>>,
    brotli: OnceLock<Option<Bytes>>,
    etag: String,
}

/// One form of an [`Asset`]: what goes into an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The body.
    pub bytes: Bytes,
    /// The value of `Content-Encoding`; `None` for the bytes as they are.
    pub encoding: Option<&'static str>,
    /// The value of `ETag`, with its quotes. Strong, so each form has its own.
    pub etag: String,
}

impl Asset {
    /// Takes bytes; the compressed forms are made when they are first asked for.
    pub fn new(content_type: &'static str, identity: impl Into<Bytes>) -> Self {
        let identity = identity.into();
        let mut etag = String::with_capacity(16);
        for byte in &Sha256::digest(&identity)[..8] {
            // Writing to a `String` cannot fail.
            let _ = write!(etag, "{byte:02x}");
        }
        Self { content_type, identity, gzip: OnceLock::new(), brotli: OnceLock::new(), etag }
    }

    /// Takes bytes with forms that were compressed before, such as by a build.
    pub fn precompressed(content_type: &'static str, identity: impl Into<Bytes>, gzip: Option<Bytes>, brotli: Option<Bytes>) -> Self {
        Self { gzip: OnceLock::from(gzip), brotli: OnceLock::from(brotli), ..Self::new(content_type, identity) }
    }

    /// Returns the value of `Content-Type`.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Returns the bytes as they are.
    pub fn identity(&self) -> &Bytes {
        &self.identity
    }

    /// Returns the gzip form; `None` when it would not be smaller.
    ///
    /// The first call compresses; call it from a thread that may take some milliseconds.
    pub fn gzip(&self) -> Option<&Bytes> {
        self.gzip.get_or_init(|| smaller(&self.identity, gzip)).as_ref()
    }

    /// Returns the brotli form; `None` when it would not be smaller.
    ///
    /// The first call compresses; call it from a thread that may take some tenths of a second.
    pub fn brotli(&self) -> Option<&Bytes> {
        self.brotli.get_or_init(|| smaller(&self.identity, brotli)).as_ref()
    }

    /// Returns the 16 hexadecimal digits that name this content.
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// Returns the form that suits an `Accept-Encoding` (RFC 9110 section 12.5.3); brotli where both suit equally.
    ///
    /// A header that refuses even the bytes as they are gets them all the same.
    pub fn choose(&self, accept_encoding: &str) -> Form {
        let (br, gz) = (weight(accept_encoding, "br"), weight(accept_encoding, "gzip"));
        let mut wanted = [("br", br), ("gzip", gz)];
        wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        for (name, weight) in wanted {
            let bytes = match name {
                _ if weight == 0 => None,
                "br" => self.brotli(),
                _ => self.gzip(),
            };
            if let Some(bytes) = bytes {
                return Form { bytes: bytes.clone(), encoding: Some(name), etag: format!("\"{}-{name}\"", self.etag) };
            }
        }
        Form { bytes: self.identity.clone(), encoding: None, etag: format!("\"{}\"", self.etag) }
    }
}

impl Form {
    /// Returns whether an `If-None-Match` names this form: the answer is then 304 (RFC 9110 section 13.1.2).
    pub fn is_fresh(&self, if_none_match: &str) -> bool {
        if_none_match
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }
}

/// Returns the weight of a coding in thousandths: 0 refuses it, as does not naming it.
fn weight(accept_encoding: &str, coding: &str) -> u16 {
    let mut any = 0;
    for part in accept_encoding.split(',') {
        let mut words = part.split(';').map(str::trim);
        let name = words.next().unwrap_or_default();
        let weight = words.find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q="))).map_or(1000, thousandths);
        if name.eq_ignore_ascii_case(coding) {
            return weight;
        }
        if name == "*" {
            any = weight;
        }
    }
    any
}

/// Reads `0.5` as 500. What is not a weight counts as a refusal.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    match (whole, format!("{fraction:0<3}").parse::<u16>()) {
        ("1", Ok(_)) => 1000,
        ("0", Ok(weight)) if fraction.len() <= 3 => weight,
        _ => 0,
    }
}

fn smaller(identity: &Bytes, compress: fn(&[u8]) -> std::io::Result<Vec<u8>>) -> Option<Bytes> {
    if identity.len() < SMALLEST_TO_COMPRESS {
        return None;
    }
    // Writing into a `Vec` does not fail; if it did, the bytes as they are still serve.
    let compressed = compress(identity).ok()?;
    (compressed.len() < identity.len()).then(|| compressed.into())
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn brotli(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    // The last two steps of quality double the time for two percent.
    const QUALITY: i32 = 9;
    let mut compressed = Vec::new();
    let params = brotli::enc::BrotliEncoderParams {
        quality: QUALITY,
        size_hint: bytes.len(),
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*bytes, &mut compressed, &params)?;
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn page() -> Asset {
        Asset::new("text/plain", "the same words again and again ".repeat(200))
    }

    #[test]
    fn both_compressed_forms_hold_the_same_bytes() {
        let page = page();
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(page.gzip().unwrap().as_ref()).read_to_end(&mut text).unwrap();
        assert_eq!(text, page.identity().as_ref());
        text.clear();
        brotli::BrotliDecompress(&mut page.brotli().unwrap().as_ref(), &mut text).unwrap();
        assert_eq!(text, page.identity().as_ref());
    }

    #[test]
    fn the_form_follows_the_weights_of_the_caller() {
        let page = page();
        for (accept, encoding) in [
            ("", None),
            ("gzip, br", Some("br")),
            ("gzip;q=1.0, br;q=0.8", Some("gzip")),
            ("br;q=0, gzip", Some("gzip")),
            ("*", Some("br")),
            ("*;q=0.5, br;q=0", Some("gzip")),
            ("identity", None),
            ("gzip;q=nonsense", None),
        ] {
            assert_eq!(page.choose(accept).encoding, encoding, "{accept}");
        }
    }

    #[test]
    fn each_form_has_a_tag_of_its_own() {
        let page = page();
        let (plain, packed) = (page.choose(""), page.choose("br"));
        assert_ne!(plain.etag, packed.etag);
        assert_eq!(page.etag().len(), 16);
        assert!(plain.is_fresh(&format!("\"other\", W/{}", plain.etag)));
        assert!(plain.is_fresh("*"));
        assert!(!plain.is_fresh(&packed.etag));
    }

    #[test]
    fn a_few_bytes_stay_as_they_are() {
        assert_eq!(Asset::new("text/plain", "short").choose("gzip, br").encoding, None);
    }
}
