//! Structs: fields, keys, defaults, constraints, generics and recursion.

use std::collections::BTreeMap;

use bunbase::schema::{Field, FromText, Patch, Record, Schema, Source, ToText};
use serde_json::{Value, json};

use super::{decode, document, errors, mistakes};

/// A unit of work.
#[bunbase::schema]
#[derive(PartialEq)]
struct Task {
    id: i64,
    /// What is to be done.
    #[validate(length(min = 1, max = 200))]
    title: String,
    #[validate(length(max = 3), unique, each(length(min = 1), pattern = "^[a-z]+$"))]
    #[default]
    labels: Vec<String>,
    #[validate(range(min = 1, exclusive_max = 10))]
    priority: Option<u8>,
    #[default("inbox")]
    folder: String,
}

#[test]
fn a_struct_is_an_object_of_its_fields() {
    let task: Task = decode(r#"{"id": 1, "title": "x"}"#).unwrap();
    assert_eq!(task, Task { id: 1, title: "x".into(), labels: vec![], priority: None, folder: "inbox".into() });
    assert_eq!(
        serde_json::to_value(&task).unwrap(),
        json!({"id": 1, "title": "x", "labels": [], "priority": null, "folder": "inbox"})
    );
    let again: Task = decode(&serde_json::to_string(&task).unwrap()).unwrap();
    assert_eq!(again, task.clone());
}

#[test]
fn an_array_is_not_an_object() {
    assert!(decode::<Task>(r#"[1, "x", [], null, "inbox"]"#).is_none());
    assert_eq!(mistakes::<Task>(&json!([1, "x"])), [" type"]);
}

#[test]
fn unknown_and_repeated_keys_are_refused() {
    let error = serde_json::from_str::<Task>(r#"{"id": 1, "title": "x", "colour": 1}"#).unwrap_err();
    assert!(error.to_string().contains("unknown field `colour`"), "{error}");
    let error = serde_json::from_str::<Task>(r#"{"id": 1, "id": 1, "title": "x"}"#).unwrap_err();
    assert!(error.to_string().contains("duplicate field `id`"), "{error}");
    let error = serde_json::from_str::<Task>(r#"{"id": 1}"#).unwrap_err();
    assert!(error.to_string().contains("missing field `title`"), "{error}");
}

#[test]
fn every_mistake_is_named_at_its_place() {
    let value = json!({"id": "1", "title": "", "labels": ["ok", "", "A", "ok"], "priority": 10, "colour": true});
    let found = mistakes::<Task>(&value);
    assert_eq!(
        found,
        [
            "/colour unknown",
            "/id type",
            "/title length",
            "/labels length",
            "/labels/3 unique",
            "/labels/1 length",
            "/labels/1 pattern",
            "/labels/2 pattern",
            "/priority range"
        ]
    );
    assert_eq!(mistakes::<Task>(&json!({})), ["/id required", "/title required"]);
}

#[test]
fn the_schema_says_what_is_checked() {
    let (node, components) = document::<Task>();
    assert_eq!(node, json!({"$ref": "#/components/schemas/Task"}));
    let task = &components["Task"];
    assert_eq!(task["description"], "A unit of work.");
    assert_eq!(task["required"], json!(["id", "title"]));
    assert_eq!(task["additionalProperties"], false);
    let fields = &task["properties"];
    assert_eq!(fields["id"]["minimum"], json!(i64::MIN));
    assert_eq!(fields["id"]["maximum"], json!(i64::MAX));
    assert_eq!(fields["title"]["minLength"], 1);
    assert_eq!(fields["title"]["maxLength"], 200);
    assert_eq!(fields["title"]["description"], "What is to be done.");
    assert_eq!(fields["labels"]["uniqueItems"], true);
    assert_eq!(fields["labels"]["maxItems"], 3);
    assert_eq!(fields["labels"]["default"], json!([]));
    assert_eq!(fields["labels"]["items"]["allOf"], json!([{"pattern": "^[a-z]+$"}]));
    assert_eq!(fields["priority"]["minimum"], 1);
    assert_eq!(fields["priority"]["maximum"], 10);
    assert_eq!(fields["priority"]["exclusiveMaximum"], true);
    assert_eq!(fields["folder"]["default"], "inbox");
}

#[bunbase::schema]
struct Numbers {
    #[validate(range(min = -9_223_372_036_854_775_807, max = 9_007_199_254_740_993))]
    exact: i64,
    #[validate(range(exclusive_min = 0.5), multiple_of = 0.25)]
    part: f64,
    #[validate(multiple_of = 5)]
    #[default(5)]
    step: u16,
}

#[test]
fn integer_bounds_are_exact() {
    let (_, components) = document::<Numbers>();
    assert_eq!(components["Numbers"]["properties"]["exact"]["maximum"].to_string(), "9007199254740993");
    assert!(decode::<Numbers>(r#"{"exact": 9007199254740993, "part": 0.75}"#).is_some());
    assert!(decode::<Numbers>(r#"{"exact": 9007199254740994, "part": 0.75}"#).is_none());
    assert!(decode::<Numbers>(r#"{"exact": -9223372036854775808, "part": 0.75}"#).is_none());
    assert!(decode::<Numbers>(r#"{"exact": 9223372036854775808, "part": 0.75}"#).is_none());
    assert!(decode::<Numbers>(r#"{"exact": 1, "part": 0.5}"#).is_none());
    assert!(decode::<Numbers>(r#"{"exact": 1, "part": 0.8}"#).is_none());
    assert!(decode::<Numbers>(r#"{"exact": 1, "part": 1, "step": 7}"#).is_none());
    assert!(decode::<Numbers>(r#"{"exact": 1.0, "part": 1}"#).is_none());
}

#[bunbase::schema]
struct Strings {
    any: String,
    #[validate(email)]
    #[default]
    email: Option<String>,
    #[validate(url)]
    url: Option<String>,
    #[validate(ip)]
    ip: Option<String>,
    #[validate(custom = not_admin)]
    name: Option<String>,
    #[validate(custom = few)]
    #[default]
    list: Vec<u8>,
}

fn not_admin(name: &str) -> Result<(), String> {
    if name == "admin" { Err("this name is taken".to_owned()) } else { Ok(()) }
}

fn few(list: &[u8]) -> Result<(), String> {
    if list.len() > 1 { Err("one is enough".to_owned()) } else { Ok(()) }
}

#[test]
fn text_has_no_nul() {
    assert!(decode::<Strings>(r#"{"any": "a"}"#).is_some());
    assert!(decode::<Strings>("{\"any\": \"a\\u0000\"}").is_none());
    assert_eq!(mistakes::<Strings>(&json!({"any": "\0"})), ["/any pattern"]);
}

#[test]
fn formats_and_custom_rules_hold_and_explain() {
    let good = r#"{"any": "", "email": "a@b.org", "url": "https://b.org", "ip": "::1", "name": "x", "list": [1]}"#;
    assert!(decode::<Strings>(good).is_some());
    let bad = json!({"any": "", "email": "a", "url": "/x", "ip": "1.2.3", "name": "admin", "list": [1, 2]});
    assert!(decode::<Strings>(&bad.to_string()).is_none());
    let found = errors::<Strings>(&bad);
    let codes: Vec<_> = found.iter().map(|error| error.code.as_ref()).collect();
    assert_eq!(codes, ["format", "format", "format", "custom", "custom"]);
    assert_eq!(found[3].message, "this name is taken");
    assert!(decode::<Strings>(r#"{"any": "", "name": null}"#).is_some());
}

#[bunbase::schema(rename_all = "camelCase")]
struct Settings {
    page_size: u32,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip)]
    cached: bool,
    #[serde(default = "ten")]
    retries: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    r#ref: u8,
}

fn ten() -> u8 {
    10
}

#[test]
fn keys_are_renamed_in_both_directions_and_in_the_schema() {
    let settings: Settings = decode(r#"{"pageSize": 1, "type": "a", "ref": 2}"#).unwrap();
    assert!(!settings.cached);
    assert_eq!(settings.retries, 10);
    assert_eq!(serde_json::to_value(&settings).unwrap(), json!({"pageSize": 1, "type": "a", "retries": 10, "ref": 2}));
    assert!(decode::<Settings>(r#"{"page_size": 1, "type": "a", "ref": 2}"#).is_none());
    let keys: Vec<_> = Settings::FIELDS.iter().map(|field| field.key).collect();
    assert_eq!(keys, ["pageSize", "type", "retries", "note", "ref"]);
    let names: Vec<_> = Settings::FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names, ["page_size", "kind", "retries", "note", "ref"]);
}

#[bunbase::schema]
#[serde(default)]
struct Options {
    size: u8,
    #[default(3)]
    depth: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self { size: 7, depth: 9 }
    }
}

#[test]
fn a_struct_with_defaults_needs_no_key() {
    let options: Options = decode("{}").unwrap();
    assert_eq!((options.size, options.depth), (7, 3));
    let (_, components) = document::<Options>();
    assert_eq!(components["Options"]["properties"]["size"]["default"], 7);
}

#[bunbase::schema]
struct Change {
    due: Patch<String>,
    #[validate(range(max = 5))]
    size: Patch<u8>,
}

#[test]
fn a_patch_tells_null_from_absent() {
    let change: Change = decode(r#"{"due": null}"#).unwrap();
    assert_eq!((change.due.clone(), change.size), (Patch::Clear, Patch::Keep));
    assert_eq!(serde_json::to_string(&change).unwrap(), r#"{"due":null}"#);
    let change: Change = decode(r#"{"size": 5}"#).unwrap();
    assert_eq!(serde_json::to_string(&change).unwrap(), r#"{"size":5}"#);
    assert!(decode::<Change>(r#"{"size": 6}"#).is_none());
}

/// A part of a list.
#[bunbase::schema]
#[derive(PartialEq)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

#[bunbase::schema]
struct Either<A, B: Clone> {
    left: Option<A>,
    right: Patch<B>,
}

#[test]
fn a_generic_type_is_named_after_its_parameters() {
    assert_eq!(Page::<Task>::label(), "PageOfTask");
    assert_eq!(Page::<Page<i64>>::label(), "PageOfPageOfI64");
    assert_eq!(Either::<Task, String>::label(), "EitherOfTaskAndString");
    let page: Page<u8> = decode(r#"{"items": [1, 2]}"#).unwrap();
    assert_eq!(page, Page { items: vec![1, 2], next: None });
    let either: Either<u8, u8> = decode("{}").unwrap();
    assert_eq!(serde_json::to_string(&either).unwrap(), r#"{"left":null}"#);
    assert_eq!(mistakes::<Page<Task>>(&json!({"items": [{"id": 1}]})), ["/items/0/title required"]);
    let (node, components) = document::<Page<Task>>();
    assert_eq!(node["$ref"], "#/components/schemas/PageOfTask");
    assert_eq!(components["PageOfTask"]["properties"]["items"]["items"]["$ref"], "#/components/schemas/Task");
}

#[bunbase::schema]
#[derive(PartialEq)]
struct Tree {
    name: String,
    left: Option<Box<Tree>>,
    #[default]
    children: Vec<Tree>,
    #[default]
    by_name: BTreeMap<String, Tree>,
}

#[test]
fn a_type_may_hold_itself() {
    let text = r#"{"name": "a", "left": {"name": "b"}, "children": [{"name": "c"}], "by_name": {"x": {"name": "d"}}}"#;
    let tree: Tree = decode(text).unwrap();
    assert_eq!(tree.children[0].name, "c");
    let (_, components) = document::<Tree>();
    assert_eq!(components["Tree"]["properties"]["children"]["items"]["$ref"], "#/components/schemas/Tree");
    let wrong = json!({"name": "a", "children": [{"name": "b", "by_name": {"x/y": {"name": 1}}}]});
    assert_eq!(mistakes::<Tree>(&wrong), ["/children/0/by_name/x~1y/name type"]);
}

/// Who it is.
#[bunbase::schema]
#[derive(PartialEq, Eq, PartialOrd, Ord, Copy)]
struct UserId(#[validate(range(min = 1))] i64);

#[bunbase::schema]
struct Holder(Task);

#[bunbase::schema]
struct Ids(Vec<UserId>);

#[bunbase::schema]
struct Point(#[validate(range(min = 0))] i32, f64);

#[test]
fn a_newtype_looks_like_what_it_holds() {
    assert_eq!(decode::<UserId>("7"), Some(UserId(7)));
    assert!(decode::<UserId>("0").is_none());
    assert_eq!(serde_json::to_string(&UserId(7)).unwrap(), "7");
    let (node, components) = document::<UserId>();
    assert_eq!(node["$ref"], "#/components/schemas/UserId");
    assert_eq!(components["UserId"]["description"], "Who it is.");
    assert_eq!(components["UserId"]["minimum"], 1);
    let (_, components) = document::<Holder>();
    assert_eq!(components["Holder"]["allOf"][0]["$ref"], "#/components/schemas/Task");
    assert_eq!(mistakes::<Holder>(&json!({"id": 1, "title": ""})), ["/title length"]);
}

#[test]
fn a_newtype_comes_from_text_when_what_it_holds_does() {
    assert_eq!(UserId::from_text("7").unwrap(), UserId(7));
    assert_eq!(UserId(7).to_text().unwrap().unwrap(), "7");
    assert_eq!(Ids::from_texts(&["1".into(), "2".into()]).unwrap().0, [UserId(1), UserId(2)]);
    const { assert!(Ids::MANY) };
    assert!(UserId::from_text("x").is_err());
    let ages: BTreeMap<UserId, u8> = decode(r#"{"1": 30}"#).unwrap();
    assert_eq!(ages[&UserId(1)], 30);
}

#[test]
fn a_tuple_struct_is_an_array() {
    let point: Point = decode("[1, 2.5]").unwrap();
    assert_eq!(serde_json::to_string(&point).unwrap(), "[1,2.5]");
    assert!(decode::<Point>("[-1, 2.5]").is_none());
    assert!(decode::<Point>("[1]").is_none());
    assert!(decode::<Point>("[1, 2, 3]").is_none());
    assert_eq!(mistakes::<Point>(&json!([-1, "x"])), ["/0 range", "/1 type"]);
    let (_, components) = document::<Point>();
    assert_eq!(components["Point"]["minItems"], 2);
}

#[bunbase::schema]
struct Empty {}

#[test]
fn a_struct_without_fields_is_an_empty_object() {
    assert!(decode::<Empty>("{}").is_some());
    assert!(decode::<Empty>("[]").is_none());
    assert!(decode::<Empty>(r#"{"a": 1}"#).is_none());
}

#[bunbase::schema]
struct ListTasks {
    #[path]
    project_id: i64,
    #[query("q")]
    text: Option<String>,
    #[query]
    owner: Vec<UserId>,
    #[header("X-Request-Source")]
    source: Option<String>,
    #[cookie]
    device: Option<String>,
    tree: Option<Tree>,
}

#[test]
fn the_table_says_where_fields_are_and_whether_they_come_from_text() {
    let field = |name: &str| -> &Field { ListTasks::FIELDS.iter().find(|field| field.name == name).unwrap() };
    assert_eq!(field("project_id").source, Source::Path);
    assert_eq!((field("text").source, field("text").param), (Source::Query, Some("q")));
    assert_eq!(field("source").param, Some("X-Request-Source"));
    assert_eq!(field("device").source, Source::Cookie);
    assert!(field("owner").text.unwrap().many);
    assert!(!field("project_id").text.unwrap().many);
    assert!(field("tree").text.is_none());
}

#[test]
fn a_record_is_filled_from_texts_and_from_json() {
    let mut slots = ListTasks::slots();
    ListTasks::put_texts(&mut slots, 0, &["7".into()]).unwrap();
    ListTasks::put_texts(&mut slots, 2, &["1".into(), "2".into()]).unwrap();
    ListTasks::put(&mut slots, 5, Value::Null).unwrap();
    assert_eq!(ListTasks::put_texts(&mut slots, 5, &["x".into()]).unwrap_err().code, "type");
    assert_eq!(ListTasks::put_texts(&mut slots, 0, &["x".into()]).unwrap_err().code, "type");
    let input = ListTasks::take(slots).unwrap();
    assert_eq!((input.project_id, input.owner.len()), (7, 2));
    assert_eq!(ListTasks::take(ListTasks::slots()).unwrap_err(), 0);
}

#[test]
fn other_doors_carry_one_object_of_all_fields() {
    let text = r#"{"project_id": 1, "owner": [2], "source": "job"}"#;
    let input: ListTasks = decode(text).unwrap();
    assert_eq!(
        serde_json::to_value(&input).unwrap(),
        json!({"project_id": 1, "text": null, "owner": [2], "source": "job", "device": null, "tree": null})
    );
}

#[bunbase::schema]
#[derive(Debug)]
struct SignIn {
    name: String,
    #[sensitive]
    password: String,
}

#[bunbase::schema]
enum Secret {
    Token(#[sensitive] String),
    Pair {
        id: u8,
        #[sensitive]
        key: String,
    },
    None,
}

#[test]
fn what_is_sensitive_is_not_printed() {
    let sign_in: SignIn = decode(r#"{"name": "a", "password": "hunter2"}"#).unwrap();
    assert_eq!(sign_in.password, "hunter2");
    assert_eq!(format!("{sign_in:?}"), r#"SignIn { name: "a", password: [sensitive] }"#);
    assert!(SignIn::FIELDS[1].sensitive);
    assert_eq!(format!("{:?}", Secret::Token("x".into())), "Token([sensitive])");
    assert_eq!(format!("{:?}", Secret::Pair { id: 1, key: "x".into() }), "Pair { id: 1, key: [sensitive] }");
    assert_eq!(format!("{:?}", Secret::None), "None");
}
