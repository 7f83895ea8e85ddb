//! The scheme that most senders use in one form or another: an HMAC-SHA256 in a header.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    Delivery, Refusal, SigningSecret, Verify, id,
    keys::{Keys, from_hex},
    window,
};
use crate::Result;

/// An HMAC-SHA256 of the body in a header; see [`hmac_sha256`].
#[derive(Debug)]
pub struct HmacSha256 {
    header: &'static str,
    keys: Keys,
    encoding: Encoding,
    prefix: &'static str,
    timestamp: Option<&'static str>,
    tolerance: Option<Duration>,
    delivery_id: Option<&'static str>,
}

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Hex,
    Base64,
}

/// Deliveries with the HMAC-SHA256 of their body in `header`, in hexadecimal unless said.
///
/// A delivery has no time that is signed, so that whoever sees one can send it again, unless
/// [`timestamp_header`](HmacSha256::timestamp_header) names one; the delivery's id tells that it is the same one.
///
/// ```
/// # use bunbase::webhook::{SigningSecret, hmac_sha256};
/// let scheme = hmac_sha256("X-Shop-Signature", SigningSecret::new("from a vault")).base64().delivery_id("X-Shop-Delivery");
/// # let _ = scheme;
/// ```
pub fn hmac_sha256(header: &'static str, secret: impl Into<SigningSecret>) -> HmacSha256 {
    HmacSha256 {
        header,
        keys: Keys::new(secret.into()),
        encoding: Encoding::Hex,
        prefix: "",
        timestamp: None,
        tolerance: None,
        delivery_id: None,
    }
}

/// Deliveries of GitHub, with the secret of the webhook or of the app. Their id is that of `X-GitHub-Delivery`, which
/// is the same when a delivery is sent again.
///
/// GitHub signs neither a time nor that id: who has seen a delivery can send its body again under another id. Only TLS
/// keeps others from seeing one.
///
/// Source: GitHub Docs, "Validating webhook deliveries".
pub fn github(secret: impl Into<SigningSecret>) -> HmacSha256 {
    hmac_sha256("X-Hub-Signature-256", secret).prefix("sha256=").delivery_id("X-GitHub-Delivery")
}

impl HmacSha256 {
    /// The signature is written in hexadecimal digits: the default.
    #[must_use]
    pub fn hex(mut self) -> Self {
        self.encoding = Encoding::Hex;
        self
    }

    /// The signature is written in base64 (RFC 4648 section 4, with padding).
    #[must_use]
    pub fn base64(mut self) -> Self {
        self.encoding = Encoding::Base64;
        self
    }

    /// What stands before the signature in its header: `sha256=`.
    #[must_use]
    pub fn prefix(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// The header with the time of the delivery, in seconds since 1970. What is signed is then the time, a full stop
    /// and the body.
    #[must_use]
    pub fn timestamp_header(mut self, header: &'static str) -> Self {
        self.timestamp = Some(header);
        self
    }

    /// How far the time may be from now, either way; 5 min unless said. Needs
    /// [`timestamp_header`](Self::timestamp_header).
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// The header with the delivery's id. Without it the id is a hash of what was signed.
    #[must_use]
    pub fn delivery_id(mut self, header: &'static str) -> Self {
        self.delivery_id = Some(header);
        self
    }

    fn decode(&self, text: &str) -> Option<Vec<u8>> {
        let text = text.strip_prefix(self.prefix)?;
        match self.encoding {
            Encoding::Hex => from_hex(text).map(|bytes| bytes.to_vec()),
            Encoding::Base64 => STANDARD.decode(text).ok(),
        }
    }
}

impl Verify for HmacSha256 {
    fn verify(&self, delivery: &Delivery<'_>) -> Result<String> {
        let signature = self.decode(delivery.expect(self.header)?.trim()).ok_or(Refusal::Malformed)?;
        let time = self.timestamp.map(|header| delivery.expect(header)).transpose()?;
        let signed: &[&[u8]] = match time {
            Some(time) => &[time.as_bytes(), b".", delivery.body],
            None => &[delivery.body],
        };
        if !self.keys.signed(signed, &[signature]) {
            return Err(Refusal::Unknown.into());
        }
        if let Some(time) = time {
            window::check(time, delivery.now, self.tolerance.unwrap_or(window::TOLERANCE))?;
        }
        Ok(id::of(self.delivery_id.and_then(|header| (delivery.header)(header)), signed))
    }

    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        let mut headers = vec![(self.header, "The HMAC-SHA256 of the body under the shared secret.")];
        if let Some(header) = self.timestamp {
            headers[0].1 = "The HMAC-SHA256 of the time, a full stop and the body under the shared secret.";
            headers.push((header, "The time of the delivery, in seconds since 1970."));
        }
        if let Some(header) = self.delivery_id {
            headers.push((header, "The delivery's id, the same when it is sent again."));
        }
        headers
    }

    fn problem(&self) -> Option<String> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        };
        let mut problems: Vec<_> = self.keys.problem().into_iter().collect();
        for name in [Some(self.header), self.timestamp, self.delivery_id].into_iter().flatten() {
            if !is_name(name) {
                problems.push(format!("`{name}` is not the name of a header"));
            }
        }
        if self.tolerance.is_some() && self.timestamp.is_none() {
            problems.push(
                "`.tolerance(…)` needs `.timestamp_header(…)`: there is no signed time to compare with".to_owned(),
            );
        }
        (!problems.is_empty()).then(|| problems.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};

    const GITHUB_SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    /// Source: GitHub Docs, "Validating webhook deliveries", "Testing the webhook payload validation".
    #[test]
    fn githubs_own_example_is_taken() {
        let scheme = github(SigningSecret::new("It's a Secret to Everybody"));
        assert_eq!(scheme.problem(), None);
        let headers =
            [("x-hub-signature-256", GITHUB_SIGNATURE), ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")];
        assert_eq!(verify(&scheme, &headers, b"Hello, World!", 0).unwrap(), "72d3162e-cc78-11e3-81ab-4c9367dc0958");
        assert_eq!(refused(&scheme, &headers, b"Hello, world!", 0), Refusal::Unknown);
        assert_eq!(refused(&scheme, &headers[1..], b"Hello, World!", 0), Refusal::Missing);
        let bare = [("X-Hub-Signature-256", GITHUB_SIGNATURE.trim_start_matches("sha256="))];
        assert_eq!(refused(&scheme, &bare, b"Hello, World!", 0), Refusal::Malformed);
    }

    #[test]
    fn without_an_id_the_same_content_has_the_same_one() {
        let scheme = github(SigningSecret::new("It's a Secret to Everybody"));
        let id = verify(&scheme, &[("X-Hub-Signature-256", GITHUB_SIGNATURE)], b"Hello, World!", 0).unwrap();
        assert_eq!(id, "sha256:dffd6021bb2bd5b0af676290809ec3a53191dd81c7f70a4b28688a362182986f");
    }

    #[test]
    fn a_time_is_signed_with_the_body_and_bounds_when_it_may_come() {
        let scheme = hmac_sha256("X-Signature", SigningSecret::new("secret")).base64().timestamp_header("X-Time");
        let scheme = scheme.tolerance(Duration::from_secs(10));
        let signature = STANDARD.encode(sign("secret", &[b"1000.", b"body"]));
        let headers = [("X-Signature", signature.as_str()), ("X-Time", "1000")];
        assert!(verify(&scheme, &headers, b"body", 1010).is_ok());
        assert_eq!(refused(&scheme, &headers, b"body", 1011), Refusal::TooOld);
        assert_eq!(refused(&scheme, &headers, b"body", 989), Refusal::TooNew);
        let moved = [("X-Signature", signature.as_str()), ("X-Time", "1001")];
        assert_eq!(refused(&scheme, &moved, b"body", 1001), Refusal::Unknown);
        assert_eq!(scheme.headers().len(), 2);
    }

    #[test]
    fn what_cannot_work_is_said_before_the_start() {
        let scheme = hmac_sha256("X-Signature", "BUNBASE_NO_SUCH_SECRET").tolerance(Duration::from_secs(1));
        let problem = scheme.delivery_id("no name").problem().unwrap();
        for part in ["`BUNBASE_NO_SUCH_SECRET` is not set", "`no name` is not", "needs `.timestamp_header(…)`"] {
            assert!(problem.contains(part), "{problem}");
        }
        assert_eq!(hmac_sha256("X-Signature", SigningSecret::new("x")).hex().problem(), None);
    }
}
