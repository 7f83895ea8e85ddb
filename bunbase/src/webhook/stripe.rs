//! The scheme of Stripe.

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    Delivery, Refusal, SigningSecret, Verify, id,
    keys::{Keys, from_hex},
    window,
};
use crate::Result;

const HEADER: &str = "Stripe-Signature";

/// Deliveries of Stripe; see [`stripe`].
#[derive(Debug)]
pub struct Stripe {
    keys: Keys,
}

/// Deliveries of Stripe, with the endpoint's secret (`whsec_…`). Their id is the event's, from the body; they may be 5
/// min old.
///
/// Source: Stripe Docs, "Receive Stripe events in your webhook endpoint", "Verify webhook signatures manually".
pub fn stripe(secret: impl Into<SigningSecret>) -> Stripe {
    Stripe { keys: Keys::new(secret.into()) }
}

/// The only part of an event that is read before it is stored.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

impl Verify for Stripe {
    /// The header is `t=1492774577,v1=5257a869…,v1=…,v0=…`. Signed is the time, a full stop and the body; `v0` and
    /// other versions count for nothing, so that nobody can ask for a weaker one.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<String> {
        let mut time = None;
        let mut signatures = Vec::new();
        for part in delivery.expect(HEADER)?.split(',') {
            let (name, value) = part.trim().split_once('=').ok_or(Refusal::Malformed)?;
            match name {
                "t" if time.replace(value).is_some() => return Err(Refusal::Malformed.into()),
                "v1" => signatures.push(from_hex(value).ok_or(Refusal::Malformed)?),
                _ => {}
            }
        }
        let time = time.ok_or(Refusal::Malformed)?;
        let signed: &[&[u8]] = &[time.as_bytes(), b".", delivery.body];
        if !self.keys.signed(signed, &signatures) {
            return Err(Refusal::Unknown.into());
        }
        window::check(time, delivery.now, window::TOLERANCE)?;
        let event = serde_json::from_slice::<Event<'_>>(delivery.body).ok();
        Ok(id::of(event.as_ref().map(|event| event.id.as_ref()), signed))
    }

    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        vec![(HEADER, "The time and its signatures: `t=1492774577,v1=5257a869…`.")]
    }

    fn problem(&self) -> Option<String> {
        self.keys.problem()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};

    const BODY: &[u8] = br#"{"id":"evt_1","object":"event","type":"invoice.paid"}"#;

    /// Stripe publishes no example with its secret. By its documented steps, with another implementation:
    /// `printf '1492774577.{"id":…}' | openssl sha256 -hmac whsec_test_secret`.
    const SIGNATURE: &str = "4d38cd5139c7f60e624bf8299775d217793a8e4af46b24f70e9099b0eafff76c";

    fn scheme() -> Stripe {
        stripe(SigningSecret::new("whsec_test_secret"))
    }

    fn header(text: &str) -> [(&'static str, String); 1] {
        [(HEADER, text.replace("GOOD", SIGNATURE).replace("BAD", &"0".repeat(64)))]
    }

    fn taken(text: &str, now: i64) -> Result<String> {
        let [(name, value)] = header(text);
        verify(&scheme(), &[(name, &value)], BODY, now)
    }

    fn refusal(text: &str, now: i64) -> Refusal {
        let [(name, value)] = header(text);
        refused(&scheme(), &[(name, &value)], BODY, now)
    }

    #[test]
    fn a_signed_event_is_known_by_its_id() {
        assert_eq!(taken("t=1492774577,v1=GOOD", 1_492_774_577).unwrap(), "evt_1");
        assert_eq!(taken("t=1492774577,v1=GOOD", 1_492_774_577 + 300).unwrap(), "evt_1");
        assert_eq!(refusal("t=1492774577,v1=GOOD", 1_492_774_577 + 301), Refusal::TooOld);
        assert_eq!(refusal("t=1492774577,v1=GOOD", 1_492_774_577 - 301), Refusal::TooNew);
    }

    #[test]
    fn one_of_several_signatures_is_enough_and_other_versions_count_for_nothing() {
        assert!(taken("t=1492774577,v1=BAD, v1=GOOD,v0=short", 1_492_774_577).is_ok());
        assert_eq!(refusal("t=1492774577,v1=BAD,v0=GOOD", 1_492_774_577), Refusal::Unknown);
        assert_eq!(refusal("t=1492774577,v0=GOOD", 1_492_774_577), Refusal::Unknown);
    }

    #[test]
    fn a_header_that_says_something_twice_or_not_at_all_is_refused() {
        for text in ["", "t", "v1=GOOD", "t=1492774577,t=1492774577,v1=GOOD", "t=1492774577,v1=short", "t,v1=,v0="] {
            assert_eq!(refusal(text, 1_492_774_577), Refusal::Malformed, "{text}");
        }
        assert_eq!(refused(&scheme(), &[], BODY, 1_492_774_577), Refusal::Missing);
    }

    #[test]
    fn a_body_without_an_id_is_known_by_its_hash() {
        for body in [&b"not JSON"[..], br#"{"id":7}"#, br#"{"id":"a","id":"b"}"#, br#"{"id":"a\u0000"}"#] {
            let signature = hex(&sign("whsec_test_secret", &[b"7.", body]));
            let id = verify(&scheme(), &[(HEADER, &format!("t=7,v1={signature}"))], body, 7).unwrap();
            assert!(id.starts_with("sha256:"), "{id}");
        }
    }
}
