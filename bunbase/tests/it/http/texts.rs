//! Values that come as text: decoding, coercion, repetition, defaults.

use bunbase::{prelude::*, testing::TestApp};
use serde_json::{Value, json};

use super::mistakes;

bunbase::module!(prefix = "/t/texts");

/// A colour.
#[schema(rename_all = "snake_case")]
enum Colour {
    Red,
    DarkBlue,
}

/// All kinds of text.
#[schema]
struct Kinds {
    flag: Option<bool>,
    colour: Option<Colour>,
    id: Option<Uuid>,
    day: Option<NaiveDate>,
    at: Option<DateTimeUtc>,
    big: Option<i64>,
    small: Option<i8>,
    ratio: Option<f64>,
    #[default(7)]
    size: u16,
    #[default]
    #[validate(each(length(min = 1)))]
    tag: Vec<String>,
}

/// Repeats what it read.
#[action(get = "/kinds")]
async fn show_kinds(input: Kinds) -> Result<Kinds> {
    Ok(input)
}

/// Joins a segment, a query and a cookie.
#[action(get = "/join/{name}")]
async fn join(
    name: String,
    q: Option<String>,
    #[query("a b")] spaced: Option<String>,
    #[cookie] c: Option<String>,
) -> Result<Vec<Option<String>>> {
    Ok(vec![Some(name), q, spaced, c])
}

/// Reads lists.
#[action(get = "/lists/{ids}")]
async fn lists(
    ids: Vec<i32>,
    #[header("X-Tag")]
    #[default]
    tags: Vec<String>,
    #[query]
    #[default]
    n: Vec<u8>,
) -> Result<(Vec<i32>, (Vec<String>, Vec<u8>))> {
    Ok((ids, (tags, n)))
}

/// Takes the rest of a path.
#[action(get = "/rest/{*rest}")]
async fn rest(rest: String) -> Result<String> {
    Ok(rest)
}

#[tokio::test]
async fn texts_become_their_types() {
    let app = TestApp::start(App::new()).await;
    let uri = "/t/texts/kinds?flag=true&colour=dark_blue&id=67e55044-10b1-426f-9247-bb680e5fe0c8&day=2024-02-29\
               &at=2024-01-02T03:04:05Z&big=-9223372036854775808&small=-128&ratio=1.5&size=1&tag=a&tag=b";
    let kinds: Value = app.get(uri).send().await.assert_status(200).json();
    let expected = json!({
        "flag": true, "colour": "dark_blue", "id": "67e55044-10b1-426f-9247-bb680e5fe0c8", "day": "2024-02-29",
        "at": "2024-01-02T03:04:05Z", "big": i64::MIN, "small": -128, "ratio": 1.5, "size": 1, "tag": ["a", "b"],
    });
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn what_is_left_out_is_nothing_or_its_default() {
    let app = TestApp::start(App::new()).await;
    let kinds: Value = app.get("/t/texts/kinds").send().await.assert_status(200).json();
    assert_eq!((&kinds["size"], &kinds["tag"], &kinds["flag"]), (&json!(7), &json!([]), &Value::Null));
}

#[tokio::test]
async fn unknown_keys_and_headers_are_ignored() {
    let app = TestApp::start(App::new()).await;
    app.get("/t/texts/kinds?colours=1&&=&x").header("x-unknown", "1").send().await.assert_status(200);
}

#[tokio::test]
async fn every_text_of_another_type_is_named() {
    let app = TestApp::start(App::new()).await;
    let uri = "/t/texts/kinds?flag=yes&colour=green&id=1&day=2023-02-29&at=noon&big=9223372036854775808&small=128\
               &ratio=NaN&size=-1&tag=";
    let mut found = mistakes(&app.get(uri).send().await);
    for mistake in &mut found {
        *mistake = mistake.rsplit_once(' ').unwrap().0.to_owned();
    }
    found.sort();
    let expected: Vec<_> = ["at", "big", "colour", "day", "flag", "id", "ratio", "size", "small", "tag/0"]
        .map(|key| format!("query /{key}"))
        .into();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn numbers_have_the_bounds_of_their_type() {
    let app = TestApp::start(App::new()).await;
    for wrong in ["big=1.5", "big=", "big=1e3", "big=%2B", "small=0x1", "size=65536", "big=99999999999999999999"] {
        let found = mistakes(&app.get(&format!("/t/texts/kinds?{wrong}")).send().await);
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
    }
    app.get("/t/texts/kinds?big=9223372036854775807&size=65535&small=127").send().await.assert_status(200);
}

#[tokio::test]
async fn a_scalar_may_be_given_once() {
    let app = TestApp::start(App::new()).await;
    assert_eq!(mistakes(&app.get("/t/texts/kinds?size=1&size=2").send().await), ["query /size repeated"]);
}

#[tokio::test]
async fn escapes_are_decoded_in_every_place() {
    let app = TestApp::start(App::new()).await;
    let uri = "/t/texts/join/a%2Fb%20c+d%C3%A9?q=x+y%2Bz%26%3D&a+b=1%3D1";
    let found: Value = app.get(uri).header("cookie", "c=%C3%A9%3B").send().await.assert_status(200).json();
    assert_eq!(found, json!(["a/b c+dé", "x y+z&=", "1=1", "é;"]));
    let found: Value = app.get("/t/texts/join/a?a%20b=2").send().await.assert_status(200).json();
    assert_eq!(found[2], "2");
    let found: Value = app.get("/t/texts/join/a?q").send().await.assert_status(200).json();
    assert_eq!(found[1], "");
}

#[tokio::test]
async fn escapes_that_are_none_are_named() {
    let app = TestApp::start(App::new()).await;
    assert_eq!(mistakes(&app.get("/t/texts/join/%ff").send().await), ["path /name encoding"]);
    assert_eq!(mistakes(&app.get("/t/texts/join/a?q=%C3%28").send().await), ["query /q encoding"]);
    for half in ["%", "%2", "%zz", "a%-1"] {
        assert_eq!(
            mistakes(&app.get(&format!("/t/texts/join/a{half}")).send().await),
            ["path /name encoding"],
            "{half}"
        );
        assert_eq!(
            mistakes(&app.get(&format!("/t/texts/join/a?q={half}")).send().await),
            ["query /q encoding"],
            "{half}"
        );
    }
    let answer = app.get("/t/texts/join/a").header("cookie", "c=%ff").send().await;
    assert_eq!(mistakes(&answer), ["cookie /c encoding"]);
}

#[tokio::test]
async fn texts_with_a_nul_are_refused_everywhere() {
    let app = TestApp::start(App::new()).await;
    let answer = app.get("/t/texts/join/a%00?q=b%00").header("cookie", "c=%00").send().await;
    let found = mistakes(&answer);
    let places: Vec<_> = found.iter().map(|mistake| mistake.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(places, ["path /name", "query /q", "cookie /c"]);
}

#[tokio::test]
async fn lists_come_with_commas_in_paths_and_headers_and_repeated_in_queries() {
    let app = TestApp::start(App::new()).await;
    let request = app.get("/t/texts/lists/1,2,-3?n=1&n=2").header("x-tag", "a, b").header("x-tag", "c");
    let found: Value = request.send().await.assert_status(200).json();
    assert_eq!(found, json!([[1, 2, -3], [["a", "b", "c"], [1, 2]]]));
    let found = mistakes(&app.get("/t/texts/lists/1,x,3,y?n=1&n=256").send().await);
    assert_eq!(found, ["path /ids type", "query /n range"]);
}

#[tokio::test]
async fn a_parameter_can_take_the_rest_of_the_path() {
    let app = TestApp::start(App::new()).await;
    assert_eq!(app.get("/t/texts/rest/a/b%2Fc/d").send().await.assert_status(200).json::<String>(), "a/b/c/d");
    app.get("/t/texts/rest").send().await.assert_status(404);
}
