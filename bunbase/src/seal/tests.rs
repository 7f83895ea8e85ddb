//! Sealing as a whole: what comes back, and what does not.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::{Patch, Record};

const SECRET: &str = "a-secret-of-at-least-32-bytes-for-tests";
const OTHER: &str = "another-secret-of-at-least-32-bytes-here";

/// A card, which is inside other things.
#[bunbase_macros::schema]
struct Card {
    holder: String,
    #[sensitive]
    number: String,
}

/// Text that is sensitive wherever it stands.
#[bunbase_macros::schema]
struct Pin(#[sensitive] String);

#[bunbase_macros::schema(tag = "kind", rename_all = "snake_case")]
enum Payment {
    Cash,
    Card { card: Card },
    Token(Token),
}

#[bunbase_macros::schema]
struct Token {
    #[sensitive]
    token: String,
}

#[bunbase_macros::schema]
enum External {
    Plain,
    Secret(Token),
}

#[bunbase_macros::schema(tag = "t", content = "c")]
enum Adjacent {
    Secret(Token),
    Plain(i64),
}

#[bunbase_macros::schema(untagged)]
enum Untagged {
    Plain(i64),
    Secret(Token),
}

#[bunbase_macros::schema]
struct Pair(i64, #[sensitive] String);

/// Everything that can hold a sensitive value.
#[bunbase_macros::schema]
struct Everything {
    plain: String,
    #[sensitive]
    password: String,
    #[sensitive]
    #[serde(rename = "apiKey")]
    api_key: Option<String>,
    #[sensitive]
    whole: Card,
    card: Card,
    cards: Vec<Card>,
    by_name: std::collections::BTreeMap<String, Card>,
    boxed: Option<Box<Card>>,
    tuple: (i64, Card),
    pin: Pin,
    pins: Vec<Pin>,
    pair: Pair,
    payments: Vec<Payment>,
    external: Vec<External>,
    adjacent: Vec<Adjacent>,
    untagged: Vec<Untagged>,
    patch: Patch<Card>,
    anything: Value,
}

#[bunbase_macros::schema]
struct Harmless {
    plain: String,
    anything: Value,
}

fn card(number: &str) -> Card {
    Card { holder: "Ada".to_owned(), number: number.to_owned() }
}

fn token(token: &str) -> Token {
    Token { token: token.to_owned() }
}

/// Every secret begins with `hunter`.
fn everything() -> Everything {
    Everything {
        plain: "plain".to_owned(),
        password: "hunter1".to_owned(),
        api_key: Some("hunter2".to_owned()),
        whole: card("hunter3"),
        card: card("hunter4"),
        cards: vec![card("hunter5"), card("hunter6")],
        by_name: [("a/b~c".to_owned(), card("hunter7"))].into(),
        boxed: Some(Box::new(card("hunter8"))),
        tuple: (1, card("hunter9")),
        pin: Pin("hunter10".to_owned()),
        pins: vec![Pin("hunter11".to_owned())],
        pair: Pair(1, "hunter12".to_owned()),
        payments: vec![Payment::Cash, Payment::Card { card: card("hunter13") }, Payment::Token(token("hunter14"))],
        external: vec![External::Plain, External::Secret(token("hunter15"))],
        adjacent: vec![Adjacent::Plain(1), Adjacent::Secret(token("hunter16"))],
        untagged: vec![Untagged::Plain(1), Untagged::Secret(token("hunter17"))],
        patch: Patch::Set(card("hunter18")),
        anything: json!({ "$sealed": "not by us", "x": [{ "$sealed": 1 }, { "$sealed": "v1.x.y" }] }),
    }
}

fn sensitive<T: Record>() -> Sensitive {
    Sensitive::of(T::FIELDS)
}

fn sealer() -> Sealer {
    Sealer::new([SECRET]).unwrap()
}

#[test]
fn every_sensitive_value_is_sealed_however_deep_and_comes_back() {
    let message = everything();
    let stored = sealer().seal("cards.store", &sensitive::<Everything>(), &message).unwrap();
    assert!(!stored.contains("hunter"), "{stored}");
    assert!(stored.contains("\"plain\"") && stored.contains("Ada"), "what is not sensitive can be read: {stored}");
    let opened: Value = serde_json::from_str(&sealer().open("cards.store", &stored).unwrap()).unwrap();
    assert_eq!(opened, serde_json::to_value(&message).unwrap());
}

#[test]
fn only_the_sensitive_values_are_sealed() {
    let mut message = json!({ "plain": "a", "anything": [] });
    sealer().seal_value("a", &sensitive::<Harmless>(), &mut message).unwrap();
    assert_eq!(message, json!({ "plain": "a", "anything": [] }));
    assert!(!sensitive::<Harmless>().any());
    assert!(sensitive::<Everything>().any());

    let mut message = serde_json::to_value(everything()).unwrap();
    sealer().seal_value("a", &sensitive::<Everything>(), &mut message).unwrap();
    let sealed: Vec<_> = sensitive::marked(&message).into_iter().collect();
    let expected = [
        "/adjacent/1/c/token",
        "/anything/x/0",
        "/anything/x/1",
        "/apiKey",
        "/boxed/number",
        "/by_name/a~1b~0c/number",
        "/card/number",
        "/cards/0/number",
        "/cards/1/number",
        "/external/1/Secret/token",
        "/pair/1",
        "/password",
        "/patch/number",
        "/payments/1/card/number",
        "/payments/2/token",
        "/pin",
        "/pins/0",
        "/tuple/1/number",
        "/untagged/1/token",
        "/whole",
    ];
    assert_eq!(sealed, expected);
}

#[test]
fn a_field_is_known_by_its_rust_name_too() {
    let mut message = json!({ "api_key": "hunter2" });
    sealer().seal_value("a", &sensitive::<Everything>(), &mut message).unwrap();
    assert!(!message.to_string().contains("hunter2"), "{message}");
}

#[test]
fn a_message_without_anything_sealed_is_returned_as_it_is() {
    let text = r#"{ "plain" : 1 }"#;
    assert!(matches!(sealer().open("a", text).unwrap(), Cow::Borrowed(same) if same == text));
}

#[test]
fn an_object_that_only_looks_sealed_comes_back_as_it_was() {
    let anything =
        json!([{ "$sealed": "v1.AAAAAAAA.AAAA" }, { "$sealed": { "$sealed": null } }, { "$sealed": 1, "x": 2 }]);
    let message = Harmless { plain: "a".to_owned(), anything };
    let stored = sealer().seal("a", &sensitive::<Harmless>(), &message).unwrap();
    let opened: Value = serde_json::from_str(&sealer().open("a", &stored).unwrap()).unwrap();
    assert_eq!(opened, serde_json::to_value(&message).unwrap());
}

#[test]
fn the_same_value_is_never_sealed_twice_in_the_same_way() {
    let seal = || sealer().seal("a", &sensitive::<Token>(), &token("hunter2")).unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn a_wrong_key_opens_nothing() {
    let stored = sealer().seal("a", &sensitive::<Token>(), &token("hunter2")).unwrap();
    let error = Sealer::new([OTHER]).unwrap().open("a", &stored).unwrap_err();
    assert_eq!((error.status(), error.code()), (500, "seal_key"));
}

#[test]
fn a_replaced_secret_still_opens_and_no_longer_seals() {
    let old = sealer().seal("a", &sensitive::<Token>(), &token("hunter2")).unwrap();
    let rotated = Sealer::new([OTHER, SECRET]).unwrap();
    assert_eq!(rotated.open("a", &old).unwrap(), r#"{"token":"hunter2"}"#);
    let new = rotated.seal("a", &sensitive::<Token>(), &token("hunter2")).unwrap();
    assert_eq!(sealer().open("a", &new).unwrap_err().code(), "seal_key");
    assert_eq!(Sealer::new([OTHER]).unwrap().open("a", &new).unwrap(), r#"{"token":"hunter2"}"#);
}

#[test]
fn a_value_that_was_moved_is_refused() {
    let stored = sealer().seal("a", &sensitive::<Everything>(), &everything()).unwrap();
    let mut message: Value = serde_json::from_str(&stored).unwrap();
    let refused = |owner: &str, message: &Value| {
        let error = sealer().open(owner, &message.to_string()).unwrap_err();
        assert_eq!((error.code(), error.retry_class()), ("seal_broken", Retry::Never));
    };
    refused("b", &message);
    refused("", &message);
    let number = message["card"]["number"].clone();
    message["cards"][0]["number"] = number.clone();
    refused("a", &message);
    refused("a", &json!({ "number": number }));
    refused("a", &number);
}

/// Messages of the first version must open for ever. Made with another implementation of HKDF and XChaCha20-Poly1305.
#[test]
fn the_form_does_not_change() {
    let stored =
        r#"{"token":{"$sealed":"v1.bsd2IrVp.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXRbhAuJXjJp83b3F0W2SLyVQOJwztyagloA"}}"#;
    assert_eq!(sealer().open("users.create", stored).unwrap(), r#"{"token":"hunter2"}"#);
}

#[test]
fn each_changed_character_is_refused() {
    let stored = sealer().seal("a", &sensitive::<Token>(), &token("hunter2")).unwrap();
    let message: Value = serde_json::from_str(&stored).unwrap();
    let text = message["token"][MARK].as_str().unwrap();
    let refused = |text: &str| sealer().open("a", &json!({ "token": { MARK: text } }).to_string()).is_err();
    assert!(!refused(text));
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(refused(&changed), "{changed}");
        }
    }
    for changed in
        [&text[..text.len() - 1], &format!("{text}A"), &format!("{text}="), &format!("{text}.x"), "v1..", "", "v1"]
    {
        assert!(refused(changed), "{changed}");
    }
}

#[test]
fn bytes_are_bound_to_their_owner_and_place() {
    let text = sealer().seal_bytes("hooks.take", "webhook body", b"\xff hunter2").unwrap();
    assert!(!text.contains("hunter"), "{text}");
    assert_eq!(sealer().open_bytes("hooks.take", "webhook body", &text).unwrap(), b"\xff hunter2");
    assert!(sealer().open_bytes("hooks.drop", "webhook body", &text).is_err());
    assert!(sealer().open_bytes("hooks.take", "/body", &text).is_err());
}

#[test]
fn neither_secrets_nor_values_are_shown() {
    let shown = format!("{:?}", sealer());
    assert!(!shown.contains(SECRET) && shown.contains("id"), "{shown}");
    assert!(Sealer::new::<&str>([]).is_err());
}

proptest! {
    #[test]
    fn every_message_comes_back(token in "\\PC{0,40}", key in "\\PC{0,8}", owner in "\\PC{0,8}", depth in 0..6_u32) {
        let mut anything = json!({ MARK: token });
        for _ in 0..depth {
            anything = json!({ &key: [anything] });
        }
        let message = Harmless { plain: token, anything };
        let stored = sealer().seal(&owner, &sensitive::<Harmless>(), &message).unwrap();
        let opened: Value = serde_json::from_str(&sealer().open(&owner, &stored).unwrap()).unwrap();
        prop_assert_eq!(opened, serde_json::to_value(&message).unwrap());
    }

    #[test]
    fn no_text_makes_opening_panic(text in "(v1|[A-Za-z0-9_-]{0,60}|\\.|\\PC){0,8}") {
        let stored = json!([{ MARK: text }]).to_string();
        prop_assert!(sealer().open("a", &stored).is_err());
        let _ = sealer().open("a", &format!("\"$sealed\"{text}"));
    }
}
