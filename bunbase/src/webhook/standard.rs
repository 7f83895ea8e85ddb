//! The scheme of Standard Webhooks, which many senders share.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Delivery, Refusal, SigningSecret, Verify, id, keys::Keys, window};
use crate::Result;

const ID: &str = "webhook-id";
const TIME: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// Deliveries by the Standard Webhooks specification; see [`standard_webhooks`].
#[derive(Debug)]
pub struct StandardWebhooks {
    keys: Keys,
}

/// Deliveries by the Standard Webhooks specification, with a symmetric secret: `whsec_` and base64. Their id is the
/// `webhook-id`; they may be 5 min old.
///
/// Source: Standard Webhooks, version 1.0.0, "Signature scheme" and "Webhook headers".
pub fn standard_webhooks(secret: impl Into<SigningSecret>) -> StandardWebhooks {
    StandardWebhooks { keys: Keys::decoded(secret.into(), key) }
}

fn key(text: &str) -> Result<Vec<u8>, &'static str> {
    let key = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok();
    key.filter(|key| !key.is_empty()).ok_or("a secret of Standard Webhooks is base64, with `whsec_` before it")
}

impl Verify for StandardWebhooks {
    /// Signed are the id, the time and the body with full stops between them. The header has signatures with spaces
    /// between them, `v1,K5oZfzN9…`; those of another version, such as the asymmetric `v1a`, count for nothing.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<String> {
        let (id, time) = (delivery.expect(ID)?, delivery.expect(TIME)?);
        // The specification: with a full stop in it, what is signed could be cut apart in another way.
        if id.contains('.') || time.contains('.') {
            return Err(Refusal::Malformed.into());
        }
        let texts = delivery.expect(SIGNATURE)?.split(' ').filter_map(|text| text.strip_prefix("v1,"));
        let signatures: Vec<_> = texts.filter_map(|text| STANDARD.decode(text).ok()).collect();
        let signed: &[&[u8]] = &[id.as_bytes(), b".", time.as_bytes(), b".", delivery.body];
        if !self.keys.signed(signed, &signatures) {
            return Err(Refusal::Unknown.into());
        }
        window::check(time, delivery.now, window::TOLERANCE)?;
        Ok(id::of(Some(id), signed))
    }

    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            (ID, "The delivery's id, the same when it is sent again."),
            (TIME, "The time of this attempt, in seconds since 1970."),
            (SIGNATURE, "The signatures, with spaces between them: `v1,K5oZfzN9…`."),
        ]
    }

    fn problem(&self) -> Option<String> {
        self.keys.problem()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};

    /// Source: Svix Docs, "Verifying Webhooks Manually", the example under "Example signatures"; Svix wrote the
    /// specification.
    const SECRET: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl";
    const BODY: &[u8] = br#"{"event_type":"ping","data":{"success":true}}"#;
    const GOOD: &str = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=";

    fn headers(signature: &str) -> [(&str, &str); 3] {
        [(ID, "msg_loFOjxBNrRLzqYUf"), (TIME, "1731705121"), (SIGNATURE, signature)]
    }

    fn scheme() -> StandardWebhooks {
        standard_webhooks(SigningSecret::new(SECRET))
    }

    #[test]
    fn the_published_examples_are_taken_within_five_minutes() {
        assert_eq!(verify(&scheme(), &headers(GOOD), BODY, 1_731_705_121).unwrap(), "msg_loFOjxBNrRLzqYUf");
        assert_eq!(refused(&scheme(), &headers(GOOD), BODY, 1_731_705_121 + 301), Refusal::TooOld);
        assert_eq!(refused(&scheme(), &headers(GOOD), BODY, 1_731_705_121 - 301), Refusal::TooNew);

        // Source: the reference libraries of Standard Webhooks, the test of `sign` that all of them share.
        let scheme = standard_webhooks(SigningSecret::new("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let headers = [(ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"), (TIME, "1614265330"), (SIGNATURE, signature)];
        let id = verify(&scheme, &headers, br#"{"test": 2432232314}"#, 1_614_265_330).unwrap();
        assert_eq!(id, "msg_p5jXN8AQM9LWM0D4loKWxJek");
    }

    #[test]
    fn one_of_several_signatures_is_enough_and_other_versions_count_for_nothing() {
        let several = format!("v1,AAAA v1a,{} {GOOD} v2,x", &GOOD[3..]);
        assert!(verify(&scheme(), &headers(&several), BODY, 1_731_705_121).is_ok());
        for wrong in ["", "v1,", &GOOD[3..], &GOOD.replace("v1,", "v1a,"), &GOOD.replace(',', " ")] {
            assert_eq!(refused(&scheme(), &headers(wrong), BODY, 1_731_705_121), Refusal::Unknown, "{wrong}");
        }
    }

    #[test]
    fn what_is_signed_cannot_be_cut_apart_in_another_way() {
        let body = br#"7.{"amount":1}"#;
        let signature = sign_raw(&STANDARD.decode(&SECRET[6..]).unwrap(), &[b"msg_1.5.", body]);
        let signature = format!("v1,{}", STANDARD.encode(signature));
        assert!(verify(&scheme(), &[(ID, "msg_1"), (TIME, "5"), (SIGNATURE, &signature)], body, 7).is_ok());
        let moved = [(ID, "msg_1.5"), (TIME, "7"), (SIGNATURE, &signature)];
        assert_eq!(refused(&scheme(), &moved, &body[2..], 7), Refusal::Malformed);
    }

    #[test]
    fn a_secret_that_is_not_base64_is_said_before_the_start_and_not_repeated() {
        for secret in ["whsec_hunter2!", "whsec_"] {
            let scheme = standard_webhooks(SigningSecret::new(secret));
            assert!(scheme.problem().unwrap().contains("is base64"));
            assert!(!format!("{scheme:?}").contains("hunter2"));
            assert_eq!(refused(&scheme, &headers(GOOD), BODY, 1_731_705_121), Refusal::Unknown);
        }
        assert_eq!(scheme().problem(), None);
    }
}
