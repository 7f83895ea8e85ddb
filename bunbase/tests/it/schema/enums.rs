//! Enums in serde's four ways.

use bunbase::schema::{FromText, Probe, Schema, ToText};
use serde_json::json;

use super::{decode, document, mistakes};

/// Where a task is.
#[bunbase::schema(rename_all = "snake_case")]
#[derive(PartialEq, Eq, Copy, Default)]
enum State {
    /// Nobody works on it.
    #[default]
    Open,
    InReview,
    #[serde(rename = "closed")]
    Done,
}

#[bunbase::schema]
#[derive(PartialEq)]
struct Details {
    #[validate(length(min = 1))]
    text: String,
}

#[bunbase::schema(rename_all = "snake_case")]
#[derive(PartialEq)]
enum Outer {
    Plain,
    Number(#[validate(range(max = 5))] i64),
    Details(Details),
    Pair(u8, String),
    Fields { at: u8, note: Option<String> },
    Again(Box<Outer>),
}

#[bunbase::schema(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[derive(PartialEq)]
enum Inside {
    Open,
    /// It is over.
    Done {
        done_at: u8,
        #[default(3)]
        rank: u8,
        #[default]
        inner: Vec<Inside>,
    },
    Details(Details),
}

#[bunbase::schema(tag = "t", content = "c")]
#[derive(PartialEq)]
enum Beside {
    Nothing,
    Number(u8),
    Pair(u8, u8),
    Fields { a: u8 },
}

#[bunbase::schema(untagged)]
#[derive(PartialEq)]
enum Any {
    Short(#[validate(length(max = 2))] String),
    Number(u8),
    Fields { a: u8 },
    Text(String),
    Nothing,
}

#[bunbase::schema(tag = "is")]
#[derive(PartialEq)]
enum Loaded<T> {
    Waiting,
    Ready { value: T, more: Vec<T> },
}

#[track_caller]
fn round<T: Schema + serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: T,
    text: &str,
) {
    assert_eq!(serde_json::to_string(&value).unwrap(), text);
    assert_eq!(decode::<T>(text), Some(value));
}

#[test]
fn plain_names_are_strings() {
    round(State::InReview, r#""in_review""#);
    round(State::Done, r#""closed""#);
    assert!(decode::<State>(r#"{"open": null}"#).is_none());
    assert!(decode::<State>(r#""Open""#).is_none());
    assert_eq!(State::from_text("open").unwrap(), State::Open);
    assert_eq!(State::from_text("shut").unwrap_err().message, "`shut` is not one of `open`, `in_review`, `closed`");
    assert_eq!(State::Done.to_text().unwrap().unwrap(), "closed");
    const { assert!(Probe::<Vec<State>>::TEXT.is_some()) };
    let (_, components) = document::<State>();
    assert_eq!(
        components["State"],
        json!({
            "type": "string", "enum": ["open", "in_review", "closed"], "description": "Where a task is.",
            "x-enum-descriptions": {"open": "Nobody works on it.", "in_review": "", "closed": ""},
        })
    );
}

#[test]
fn an_external_tag_is_the_only_key() {
    round(Outer::Plain, r#""plain""#);
    round(Outer::Number(5), r#"{"number":5}"#);
    round(Outer::Pair(1, "x".into()), r#"{"pair":[1,"x"]}"#);
    round(Outer::Fields { at: 1, note: None }, r#"{"fields":{"at":1,"note":null}}"#);
    round(Outer::Details(Details { text: "x".into() }), r#"{"details":{"text":"x"}}"#);
    round(Outer::Again(Box::new(Outer::Plain)), r#"{"again":"plain"}"#);
    for wrong in [
        r#"{"plain":null}"#,
        r#""number""#,
        r#"{"number":6}"#,
        r#"{"pair":[1]}"#,
        r#"{"fields":[1,null]}"#,
        r#"{"fields":{"at":1,"x":1}}"#,
        r#"{"number":1,"plain":null}"#,
        "{}",
        "[]",
        "7",
        r#"{"other":1}"#,
        r#"{"details":{"text":""}}"#,
    ] {
        assert!(decode::<Outer>(wrong).is_none(), "{wrong}");
    }
    assert_eq!(
        mistakes::<Outer>(&json!({"again": {"again": {"fields": {"at": "x"}}}})),
        ["/again/again/fields/at type"]
    );
}

#[test]
fn an_internal_tag_stands_among_the_fields() {
    round(Inside::Open, r#"{"kind":"open"}"#);
    round(
        Inside::Done { done_at: 1, rank: 3, inner: vec![Inside::Open] },
        r#"{"kind":"done","doneAt":1,"rank":3,"inner":[{"kind":"open"}]}"#,
    );
    round(Inside::Details(Details { text: "x".into() }), r#"{"kind":"details","text":"x"}"#);
    assert_eq!(
        decode::<Inside>(r#"{"doneAt": 1, "inner": [], "kind": "done"}"#),
        Some(Inside::Done { done_at: 1, rank: 3, inner: vec![] })
    );
    for wrong in [
        r#"{"kind":"open","extra":1}"#,
        r#"["open"]"#,
        r#"["done",{"doneAt":1}]"#,
        r#"{"kind":"done"}"#,
        r#"{"doneAt":1}"#,
        r#"{"kind":"x"}"#,
        r#"{"kind":1}"#,
        r#"{"kind":"done","done_at":1}"#,
        r#"{"extra":1,"kind":"open"}"#,
        r#"{"kind":"details","text":""}"#,
    ] {
        assert!(decode::<Inside>(wrong).is_none(), "{wrong}");
    }
    for twice in [
        r#"{"kind":"done","doneAt":1,"doneAt":2}"#,
        r#"{"doneAt":1,"doneAt":2,"kind":"done"}"#,
        r#"{"kind":"done","doneAt":1,"kind":"done"}"#,
        r#"{"inner":[{"kind":"open","kind":"open"}],"kind":"done","doneAt":1}"#,
    ] {
        assert!(serde_json::from_str::<Inside>(twice).is_err(), "{twice}");
    }
    assert_eq!(
        mistakes::<Inside>(
            &json!({"kind": "done", "doneAt": "x", "inner": [{"kind": "open", "a": 1}, {"kind": "shut"}]})
        ),
        ["/doneAt type", "/inner/0/a unknown", "/inner/1/kind variant"]
    );
}

#[test]
fn an_internal_tag_is_a_discriminator() {
    let (_, components) = document::<Inside>();
    assert_eq!(components["Inside"]["discriminator"]["propertyName"], "kind");
    assert_eq!(components["Inside"]["discriminator"]["mapping"]["done"], "#/components/schemas/InsideDone");
    let done = &components["InsideDone"];
    assert_eq!(done["description"], "It is over.");
    assert_eq!(done["required"], json!(["doneAt", "kind"]));
    assert_eq!(done["properties"]["rank"]["default"], 3);
    assert_eq!(done["properties"]["inner"]["items"]["$ref"], "#/components/schemas/Inside");
}

#[test]
fn an_adjacent_tag_stands_beside_the_payload() {
    round(Beside::Nothing, r#"{"t":"Nothing"}"#);
    round(Beside::Number(1), r#"{"t":"Number","c":1}"#);
    round(Beside::Pair(1, 2), r#"{"t":"Pair","c":[1,2]}"#);
    round(Beside::Fields { a: 1 }, r#"{"t":"Fields","c":{"a":1}}"#);
    assert_eq!(decode::<Beside>(r#"{"c":{"a":1},"t":"Fields"}"#), Some(Beside::Fields { a: 1 }));
    for wrong in [
        r#"{"t":"Nothing","c":null}"#,
        r#"{"c":null,"t":"Nothing"}"#,
        r#"{"t":"Number"}"#,
        r#"["Number",1]"#,
        r#"{"t":"Number","c":1,"x":1}"#,
        r#"{"t":"Fields","c":[1]}"#,
        r#"{"c":1}"#,
        r#"{"t":"X"}"#,
    ] {
        assert!(decode::<Beside>(wrong).is_none(), "{wrong}");
    }
    for twice in
        [r#"{"t":"Number","c":1,"c":1}"#, r#"{"c":1,"c":1,"t":"Number"}"#, r#"{"t":"Number","t":"Number","c":1}"#]
    {
        assert!(serde_json::from_str::<Beside>(twice).is_err(), "{twice}");
    }
}

#[test]
fn the_first_untagged_variant_that_fits_is_taken() {
    round(Any::Short("ab".into()), r#""ab""#);
    round(Any::Text("abc".into()), r#""abc""#);
    round(Any::Number(1), "1");
    round(Any::Fields { a: 1 }, r#"{"a":1}"#);
    round(Any::Nothing, "null");
    assert!(decode::<Any>("300").is_none());
    assert!(decode::<Any>(r#"{"a":1,"b":2}"#).is_none());
    assert!(decode::<Any>("[1]").is_none());
    assert!(serde_json::from_str::<Any>(r#"{"a":1,"a":2}"#).is_err());
}

#[test]
fn a_generic_enum_has_a_name_for_each_parameter() {
    round(Loaded::Ready { value: 1_u8, more: vec![2] }, r#"{"is":"Ready","value":1,"more":[2]}"#);
    round(Loaded::<u8>::Waiting, r#"{"is":"Waiting"}"#);
    let (_, components) = document::<(Loaded<u8>, Loaded<State>)>();
    assert!(components.get("LoadedOfU8Ready").is_some());
    assert!(components.get("LoadedOfStateReady").is_some());
}

mod other {
    #[bunbase::schema(tag = "kind")]
    pub(super) enum Inside {
        Done { reason: String },
    }
}

#[test]
fn enums_of_one_name_have_components_of_their_own() {
    let (_, components) = document::<(Inside, other::Inside)>();
    assert!(components["InsideDone"]["properties"].get("doneAt").is_some());
    assert!(components["OtherInsideDone"]["properties"].get("reason").is_some());
    let _ = other::Inside::Done { reason: String::new() };
}
