//! What is served from memory: bytes that do not change, their compressed forms and their validators.
//!
//! Here: [`Asset`], and the choice of a content coding. Not here: who makes the bytes (`openapi`) and who sends them (`http`).

use std::{
    fmt,
    fmt::Write as _,
    io::{Read as _, Write as _},
    sync::OnceLock,
};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest, Sha256};

/// Below this many bytes a compressed form saves nothing that a network packet would show.
const SMALLEST_TO_COMPRESS: usize = 1024;

/// Bytes that do not change while the process lives, with gzip and brotli forms that are made once.
///
/// ```
/// # use bunbase::asset::Asset;
/// let page = Asset::new("text/html; charset=utf-8", "<p>".repeat(1000));
/// let answer = page.choose("gzip, br;q=0.5");
/// assert_eq!(answer.encoding, Some("gzip"));
/// assert!(page.choose("gzip").is_fresh(&answer.etag));
/// ```
pub struct Asset {
    content_type: &'static str,
    identity: OnceLock<Bytes>,
    gzip: OnceLock<Option<Bytes>>,
    brotli: OnceLock<Option<Bytes>>,
    /// Of the bytes that were given: hashed when first asked for, so that start-up does not wait for a megabyte.
    etag: OnceLock<String>,
}

/// A content coding that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Brotli (RFC 7932).
    Brotli,
    /// gzip (RFC 1952).
    Gzip,
}

impl Coding {
    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Returns the codings that suit an `Accept-Encoding` (RFC 9110 section 12.5.3), the best first; brotli where both suit
    /// equally.
    pub fn accepted(accept_encoding: &str) -> impl Iterator<Item = Self> {
        let mut all = [Self::Brotli, Self::Gzip].map(|coding| (coding, weight(accept_encoding, coding.as_str())));
        all.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        all.into_iter().filter(|(_, weight)| *weight > 0).map(|(coding, _)| coding)
    }
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
        let identity = OnceLock::from(identity.into());
        Self { content_type, identity, gzip: OnceLock::new(), brotli: OnceLock::new(), etag: OnceLock::new() }
    }

    /// Takes bytes that are gzip already; they are inflated for the first caller that does not take gzip.
    pub fn gzipped(content_type: &'static str, gzip: impl Into<Bytes>) -> Self {
        Self {
            content_type,
            identity: OnceLock::new(),
            gzip: OnceLock::from(Some(gzip.into())),
            brotli: OnceLock::from(None),
            etag: OnceLock::new(),
        }
    }

    /// Returns the value of `Content-Type`.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Returns the bytes as they are; empty where gzip was given that does not inflate.
    pub fn identity(&self) -> &Bytes {
        self.identity.get_or_init(|| {
            let mut identity = Vec::new();
            let gzip = self.gzip.get().and_then(Option::as_ref);
            let inflated = gzip.is_some_and(|gzip| GzDecoder::new(gzip.as_ref()).read_to_end(&mut identity).is_ok());
            if inflated { identity.into() } else { Bytes::new() }
        })
    }

    /// Returns the gzip form; `None` when it would not be smaller.
    ///
    /// The first call compresses; call it from a thread that may take some milliseconds.
    pub fn gzip(&self) -> Option<&Bytes> {
        self.gzip.get_or_init(|| smaller(self.identity(), gzip)).as_ref()
    }

    /// Returns the brotli form; `None` when it would not be smaller.
    ///
    /// The first call compresses; call it from a thread that may take some tenths of a second.
    pub fn brotli(&self) -> Option<&Bytes> {
        self.brotli.get_or_init(|| smaller(self.identity(), brotli)).as_ref()
    }

    /// Returns the 16 hexadecimal digits that name this content.
    pub fn etag(&self) -> &str {
        self.etag.get_or_init(|| {
            let given = self.identity.get().or_else(|| self.gzip.get().and_then(Option::as_ref));
            let mut etag = String::with_capacity(16);
            for byte in &Sha256::digest(given.map(Bytes::as_ref).unwrap_or_default())[..8] {
                // Writing to a `String` cannot fail.
                let _ = write!(etag, "{byte:02x}");
            }
            etag
        })
    }

    /// Returns the form that suits an `Accept-Encoding`.
    ///
    /// A header that refuses even the bytes as they are gets them all the same.
    pub fn choose(&self, accept_encoding: &str) -> Form {
        let etag = self.etag();
        for coding in Coding::accepted(accept_encoding) {
            let bytes = match coding {
                Coding::Brotli => self.brotli(),
                Coding::Gzip => self.gzip(),
            };
            if let Some(bytes) = bytes {
                let name = coding.as_str();
                return Form { bytes: bytes.clone(), encoding: Some(name), etag: format!("\"{etag}-{name}\"") };
            }
        }
        Form { bytes: self.identity().clone(), encoding: None, etag: format!("\"{etag}\"") }
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asset")
            .field("content_type", &self.content_type)
            .field("etag", &self.etag())
            .finish_non_exhaustive()
    }
}

impl Form {
    /// Returns whether an `If-None-Match` names this form: the answer is then 304 (RFC 9110 section 13.1.2).
    pub fn is_fresh(&self, if_none_match: &str) -> bool {
        names(if_none_match, &self.etag)
    }
}

/// Returns whether an `If-None-Match` names an entity tag, by weak comparison (RFC 9110 sections 8.8.3.2 and 13.1.2).
pub fn names(if_none_match: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    let etag = opaque(etag);
    if_none_match.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag) == etag)
}

/// Returns the weight of a coding in thousandths: 0 refuses it, as does not naming it.
fn weight(accept_encoding: &str, coding: &str) -> u16 {
    let mut any = 0;
    for part in accept_encoding.split(',') {
        let mut words = part.split(';').map(str::trim);
        let name = words.next().unwrap_or_default();
        let weight = words
            .find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")))
            .map_or(1000, thousandths);
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
    fn bytes_that_came_as_gzip_inflate_for_those_who_do_not_take_it() {
        let packed = Asset::gzipped("text/plain", page().gzip().unwrap().clone());
        assert_eq!(packed.choose("br").encoding, None);
        assert_eq!(packed.choose("br, gzip").encoding, Some("gzip"));
        assert_eq!(packed.choose("").bytes, page().choose("").bytes);
        assert_ne!(packed.choose("").etag, packed.choose("gzip").etag);
    }

    #[test]
    fn a_few_bytes_stay_as_they_are() {
        assert_eq!(Asset::new("text/plain", "short").choose("gzip, br").encoding, None);
    }
}
