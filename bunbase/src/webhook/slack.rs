//! The scheme of Slack.

use std::borrow::Cow;

use serde::Deserialize;

use super::{
    Delivery, Refusal, SigningSecret, Verify, id,
    keys::{Keys, from_hex},
    window,
};
use crate::Result;

const SIGNATURE: &str = "X-Slack-Signature";
const TIME: &str = "X-Slack-Request-Timestamp";

/// Requests of Slack; see [`slack`].
#[derive(Debug)]
pub struct Slack {
    keys: Keys,
}

/// Requests of Slack, with the app's signing secret. The id of an event is its `event_id`, which is the same when Slack
/// tries again; commands and interactions have none and are known by a hash. They may be 5 min old.
///
/// Source: Slack Docs, "Verifying requests from Slack".
pub fn slack(secret: impl Into<SigningSecret>) -> Slack {
    Slack { keys: Keys::new(secret.into()) }
}

/// The only part of an event that is read before it is stored.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event_id: Cow<'a, str>,
}

/// What Slack sends to a new address before it sends events there.
#[derive(Deserialize)]
struct Challenge<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    challenge: Cow<'a, str>,
}

impl Verify for Slack {
    /// Signed is `v0:`, the time, a colon and the body.
    fn verify(&self, delivery: &Delivery<'_>) -> Result<String> {
        let (signature, time) = (delivery.expect(SIGNATURE)?, delivery.expect(TIME)?);
        let signature = signature.trim().strip_prefix("v0=").and_then(from_hex).ok_or(Refusal::Malformed)?;
        let signed: &[&[u8]] = &[b"v0:", time.as_bytes(), b":", delivery.body];
        if !self.keys.signed(signed, &[signature]) {
            return Err(Refusal::Unknown.into());
        }
        window::check(time, delivery.now, window::TOLERANCE)?;
        let event = serde_json::from_slice::<Event<'_>>(delivery.body).ok();
        Ok(id::of(event.as_ref().map(|event| event.event_id.as_ref()), signed))
    }

    /// Source: Slack Docs, "`url_verification` event".
    fn handshake(&self, delivery: &Delivery<'_>) -> Option<String> {
        let asked = serde_json::from_slice::<Challenge<'_>>(delivery.body).ok()?;
        (asked.r#type == "url_verification").then(|| asked.challenge.into_owned())
    }

    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        vec![(SIGNATURE, "The signature: `v0=a2114d57…`."), (TIME, "The time of the request, in seconds since 1970.")]
    }

    fn problem(&self) -> Option<String> {
        self.keys.problem()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::*, *};

    /// Source: Slack Docs, "Verifying requests from Slack", the example of the step-by-step guide.
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J\
        %2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121\
        .803a0bc887a14d10d2c447fce8b6703c";
    const HEADERS: [(&str, &str); 2] =
        [(SIGNATURE, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"), (TIME, "1531420618")];

    fn scheme() -> Slack {
        slack(SigningSecret::new("8f742231b10e8888abcd99yyyzzz85a5"))
    }

    #[test]
    fn slacks_own_example_is_taken_within_five_minutes() {
        assert!(verify(&scheme(), &HEADERS, BODY, 1_531_420_618 + 300).unwrap().starts_with("sha256:"));
        assert_eq!(refused(&scheme(), &HEADERS, BODY, 1_531_420_618 + 301), Refusal::TooOld);
        assert_eq!(refused(&scheme(), &HEADERS, BODY, 1_531_420_618 - 301), Refusal::TooNew);
    }

    #[test]
    fn another_version_or_no_header_is_refused() {
        let other = [(SIGNATURE, HEADERS[0].1.trim_start_matches("v0=")), HEADERS[1]];
        assert_eq!(refused(&scheme(), &other, BODY, 1_531_420_618), Refusal::Malformed);
        assert_eq!(refused(&scheme(), &HEADERS[..1], BODY, 1_531_420_618), Refusal::Missing);
        assert_eq!(refused(&scheme(), &HEADERS[1..], BODY, 1_531_420_618), Refusal::Missing);
    }

    #[test]
    fn a_new_address_answers_the_challenge_and_nothing_else_is_one() {
        let answer = |body: &[u8]| {
            let delivery = Delivery { header: &|_| None, body, now: chrono::DateTime::default() };
            scheme().handshake(&delivery)
        };
        let body = br#"{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","challenge":"3eZbrw1aBm2rZgRN","type":"url_verification"}"#;
        assert_eq!(answer(body).as_deref(), Some("3eZbrw1aBm2rZgRN"));
        assert_eq!(answer(br#"{"type":"event_callback","challenge":"x"}"#), None);
        assert_eq!(answer(BODY), None);
    }

    #[test]
    fn an_event_that_is_sent_again_has_the_same_id() {
        let body = br#"{"type":"event_callback","event_id":"Ev08MFMKH6","event_time":1234567890}"#;
        for time in ["1000", "1060"] {
            let signed: [&[u8]; 4] = [b"v0:", time.as_bytes(), b":", body];
            let signature = format!("v0={}", hex(&sign("8f742231b10e8888abcd99yyyzzz85a5", &signed)));
            let id = verify(&scheme(), &[(SIGNATURE, &signature), (TIME, time)], body, 1060).unwrap();
            assert_eq!(id, "Ev08MFMKH6");
        }
    }
}
