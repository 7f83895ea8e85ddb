use std::{fmt, fmt::Write as _, io::Read, sync::OnceLock};

use bytes::Bytes;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

/// Something served as it is: bytes that never change while the process runs, in one or two encodings.
pub struct Asset {
    content_type: &'static str,
    stored: Bytes,
    /// Whether `stored` is gzip; the identity is then inflated for the first client that needs it.
    gzipped: bool,
    inflated: OnceLock<Option<Bytes>>,
    /// Of the stored bytes, in hex: hashed when first asked for, so that start-up does not wait for a megabyte.
    hash: OnceLock<String>,
}

/// One encoding of an [`Asset`], ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Representation {
    /// The bytes to send. Cheap to clone.
    pub body: Bytes,
    /// The value of `Content-Encoding`, when there is to be one.
    pub content_encoding: Option<&'static str>,
    /// The value of `ETag`, quotes included: strong, so it differs between the encodings of one asset.
    pub etag: String,
}

impl Asset {
    /// An asset that is sent as it is stored.
    pub(crate) fn plain(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            content_type,
            stored: body.into(),
            gzipped: false,
            inflated: OnceLock::new(),
            hash: OnceLock::new(),
        }
    }

    /// An asset that is stored as gzip.
    pub(crate) fn gzipped(content_type: &'static str, gzip: &'static [u8]) -> Self {
        Self {
            gzipped: true,
            ..Self::plain(content_type, gzip)
        }
    }

    /// The value of `Content-Type`.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Whether the answer depends on `Accept-Encoding`, and so must say `Vary: Accept-Encoding`.
    pub fn varies(&self) -> bool {
        self.gzipped
    }

    /// The representation for a client that accepts gzip, or does not.
    ///
    /// The first call without gzip for a stored gzip inflates it (some 15 ms for the script) and keeps the result.
    pub fn representation(&self, accepts_gzip: bool) -> Representation {
        let identity = match (self.gzipped, accepts_gzip) {
            (false, _) => Some(&self.stored),
            (true, true) => None,
            // Bytes that are embedded and tested do inflate; if ever not, gzip is better than no answer.
            (true, false) => self.inflated.get_or_init(|| inflate(&self.stored)).as_ref(),
        };
        let hash = self.hash();
        match identity {
            Some(body) => Representation {
                body: body.clone(),
                content_encoding: None,
                etag: format!("\"{hash}\""),
            },
            None => Representation {
                body: self.stored.clone(),
                content_encoding: Some("gzip"),
                etag: format!("\"{hash}-gzip\""),
            },
        }
    }

    fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            Sha256::digest(&self.stored).iter().take(8).fold(
                String::with_capacity(16),
                |mut hex, byte| {
                    // Writing to a `String` cannot fail.
                    let _ = write!(hex, "{byte:02x}");
                    hex
                },
            )
        })
    }
}

impl fmt::Debug for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asset")
            .field("content_type", &self.content_type)
            .field("size_bytes", &self.stored.len())
            .field("gzipped", &self.gzipped)
            .finish_non_exhaustive()
    }
}

fn inflate(gzip: &[u8]) -> Option<Bytes> {
    let mut identity = Vec::with_capacity(gzip.len() * 4);
    GzDecoder::new(gzip).read_to_end(&mut identity).ok()?;
    Some(identity.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_the_same_for_the_same_bytes_and_another_for_others() {
        let etag = |text: &'static str| Asset::plain("text/plain", text).representation(true).etag;
        assert_eq!(etag("hello"), "\"2cf24dba5fb0a30e\"");
        assert_eq!(etag("hello"), etag("hello"));
        assert_ne!(etag("hello"), etag("hullo"));
    }

    #[test]
    fn the_two_encodings_have_their_own_etags_and_headers() {
        let asset = Asset::gzipped("text/javascript", include_bytes!("assets/reference.js.gz"));
        let (gzip, identity) = (asset.representation(true), asset.representation(false));
        assert!(asset.varies());
        assert_eq!(
            (gzip.content_encoding, identity.content_encoding),
            (Some("gzip"), None)
        );
        assert!(identity.body.len() > gzip.body.len());
        assert_ne!(gzip.etag, identity.etag);
        assert_eq!(identity.etag, asset.representation(false).etag);
    }

    #[test]
    fn what_does_not_inflate_is_sent_as_it_is_stored() {
        let broken = Asset::gzipped("text/plain", b"not gzip").representation(false);
        assert_eq!(
            (broken.body.as_ref(), broken.content_encoding),
            (b"not gzip".as_slice(), Some("gzip"))
        );
    }
}
