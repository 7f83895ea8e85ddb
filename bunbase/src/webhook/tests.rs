//! What holds for every scheme, and the tools of their tests.

use chrono::DateTime;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

/// Asks a scheme, at a time in seconds since 1970.
pub(super) fn verify(scheme: &dyn Verify, headers: &[(&str, &str)], body: &[u8], now: i64) -> Result<String> {
    let header = |name: &str| {
        let found = headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    };
    scheme.verify(&Delivery { header: &header, body, now: DateTime::from_timestamp(now, 0).unwrap() })
}

/// Returns why a scheme refuses, after looking at what the caller is told.
pub(super) fn refused(scheme: &dyn Verify, headers: &[(&str, &str)], body: &[u8], now: i64) -> Refusal {
    let error = verify(scheme, headers, body, now).unwrap_err();
    assert_eq!((error.status(), error.code()), (401, "webhook_signature"));
    assert_eq!(error.detail(), "the delivery is not signed as it should be");
    *std::error::Error::source(&error).unwrap().downcast_ref().unwrap()
}

pub(super) fn sign(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    sign_raw(secret.as_bytes(), parts)
}

pub(super) fn sign_raw(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        code.update(part);
    }
    code.finalize().into_bytes().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The key of every scheme below; a secret of Standard Webhooks is its base64.
const SECRET: &str = "0123456789abcdef";

type Signed = (Box<dyn Verify>, Vec<(&'static str, String)>);

/// Every scheme, with the headers that it takes for a body at second 1000.
fn signed(body: &[u8]) -> Vec<Signed> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let secret = || SigningSecret::new(SECRET);
    let code = |parts: &[&[u8]]| hex(&sign(SECRET, parts));
    let standard = STANDARD.encode(sign(SECRET, &[b"msg_1.1000.", body]));
    vec![
        (Box::new(github(secret())), vec![("X-Hub-Signature-256", format!("sha256={}", code(&[body])))]),
        (
            Box::new(hmac_sha256("X-Signature", secret()).timestamp_header("X-Time")),
            vec![("X-Signature", code(&[b"1000.", body])), ("X-Time", "1000".to_owned())],
        ),
        (
            Box::new(hmac_sha256("X-Signature", secret()).base64()),
            vec![("X-Signature", STANDARD.encode(sign(SECRET, &[body])))],
        ),
        (Box::new(stripe(secret())), vec![("Stripe-Signature", format!("t=1000,v1={}", code(&[b"1000.", body])))]),
        (
            Box::new(slack(secret())),
            vec![
                ("X-Slack-Signature", format!("v0={}", code(&[b"v0:1000:", body]))),
                ("X-Slack-Request-Timestamp", "1000".to_owned()),
            ],
        ),
        (
            Box::new(standard_webhooks(SigningSecret::new(&format!("whsec_{}", STANDARD.encode(SECRET))))),
            vec![
                ("webhook-id", "msg_1".to_owned()),
                ("webhook-timestamp", "1000".to_owned()),
                ("webhook-signature", format!("v1,{standard}")),
            ],
        ),
    ]
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn each_flipped_bit_of_the_body_and_each_changed_character_of_a_header_is_refused() {
    let body = br#"{"id":"evt_1"}"#;
    for (scheme, headers) in signed(body) {
        assert!(verify(&*scheme, &borrowed(&headers), body, 1000).is_ok(), "{headers:?}");
        for bit in 0..body.len() * 8 {
            let mut changed = body.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&*scheme, &borrowed(&headers), &changed, 1000).is_err(), "{headers:?}, bit {bit}");
        }
        for (index, (_, value)) in headers.iter().enumerate() {
            for at in 0..value.len() {
                let mut bytes = value.clone().into_bytes();
                // The next sign of the alphabet, so that it never stands for the same digit in another case.
                bytes[at] = if bytes[at] == b'z' { b'y' } else { bytes[at] + 1 };
                let mut changed = headers.clone();
                changed[index].1 = String::from_utf8(bytes).unwrap();
                assert!(verify(&*scheme, &borrowed(&changed), body, 1000).is_err(), "{headers:?}, {changed:?}");
            }
            let mut without = headers.clone();
            without.remove(index);
            assert!(verify(&*scheme, &borrowed(&without), body, 1000).is_err(), "{headers:?}, {without:?}");
        }
    }
}

#[test]
fn a_body_that_is_longer_or_shorter_is_refused() {
    let body = b"{}";
    for (scheme, headers) in signed(body) {
        for other in [&b""[..], b"{", b"{} ", b"\n{}"] {
            assert!(verify(&*scheme, &borrowed(&headers), other, 1000).is_err(), "{headers:?}");
        }
    }
}

#[test]
fn every_header_that_a_scheme_reads_is_in_its_list() {
    for (scheme, headers) in signed(b"{}") {
        let listed: Vec<_> = scheme.headers().iter().map(|(name, _)| *name).collect();
        assert!(headers.iter().all(|(name, _)| listed.contains(name)), "{listed:?}");
        assert_eq!(scheme.problem(), None);
    }
}

proptest! {
    #[test]
    fn no_header_and_no_body_makes_a_scheme_panic(
        text in "(t=|v1=|v0=|v1,|sha256=|[0-9]{1,20}|[0-9a-f]{64}|[A-Za-z0-9+/]{43}=|[ ,=.:]|\\PC){0,12}",
        time in "[0-9]{1,20}|\\PC{0,8}",
        body: Vec<u8>,
        now in -8_000_000_000_i64..8_000_000_000,
    ) {
        for (scheme, headers) in signed(&body) {
            for index in 0..headers.len() {
                let mut changed = headers.clone();
                changed[index].1.clone_from(&text);
                let _ = verify(&*scheme, &borrowed(&changed), &body, now);
                changed[index].1.clone_from(&time);
                let _ = verify(&*scheme, &borrowed(&changed), &body, now);
            }
        }
    }

    #[test]
    fn every_body_that_is_signed_is_taken_and_its_id_can_be_kept(body: Vec<u8>, json in "\\{\"id\":\"(\\PC|\\\\u0000){0,300}\"\\}") {
        for body in [body, json.into_bytes()] {
            for (scheme, headers) in signed(&body) {
                let id = verify(&*scheme, &borrowed(&headers), &body, 1000).unwrap();
                prop_assert!((1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
