//! Types whose own forms are laxer than the document: dates, decimals, floats, sets, maps. What is taken and written is what the
//! document says, on both databases.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bunbase::{prelude::*, testing::TestApp};
use serde_json::{Value, json};

use super::mistakes;

bunbase::module!(prefix = "/t/values");

/// What is kept.
#[schema]
#[derive(FromQueryResult)]
struct Kept {
    due: DateTimeUtc,
    day: NaiveDate,
}

/// Keeps a time and a day, and says what is there afterwards.
#[action(post = "/keep")]
async fn keep(ctx: Ctx, due: DateTimeUtc, day: NaiveDate) -> Result<Vec<Kept>> {
    ctx.sql("INSERT INTO kept (due, day) VALUES ($1, $2)").bind(due).bind(day).execute().await?;
    let kept = ctx.sql("SELECT due, day FROM kept").all::<Kept>().await?;
    assert_eq!(kept[0].due, due, "what was decoded is what the database keeps");
    Ok(kept)
}

/// Repeats what it read.
#[action(post = "/repeat")]
async fn repeat(
    #[default] prices: Vec<Decimal>,
    #[default] ids: Vec<Option<Uuid>>,
    #[default] names: HashSet<String>,
    #[default] days: BTreeSet<NaiveDate>,
    #[default] counts: BTreeMap<NaiveDate, f64>,
    #[default] pair: Option<(NaiveDate, f32)>,
    #[default] any: Value,
) -> Result<Value> {
    Ok(json!({
        "prices": prices, "ids": ids, "names": names, "days": days, "counts": counts, "pair": pair, "any": any,
    }))
}

/// What cannot be written.
#[schema]
enum Odd {
    Nan,
    Late,
    Header,
    Fine,
}

/// A number, somewhere.
#[schema]
#[derive(Default)]
struct Numbers {
    plain: f64,
    deep: BTreeMap<String, Vec<Option<f64>>>,
    late: Option<DateTimeUtc>,
    #[header]
    ratio: Option<f64>,
}

/// Answers what has no words in JSON.
#[action(get = "/odd/{odd}")]
async fn show_odd(odd: Odd) -> Result<Numbers> {
    let late =
        NaiveDate::from_ymd_opt(10_000, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0)).map(|time| time.and_utc());
    Ok(match odd {
        Odd::Nan => Numbers { deep: [("a".to_owned(), vec![Some(1.0), Some(f64::NAN)])].into(), ..Numbers::default() },
        Odd::Late => Numbers { late, ..Numbers::default() },
        Odd::Header => Numbers { ratio: Some(f64::INFINITY), ..Numbers::default() },
        Odd::Fine => Numbers { plain: 1.5, ..Numbers::default() },
    })
}

async fn start() -> TestApp {
    let app = TestApp::start(App::new()).await;
    let postgres = std::env::var("BUNBASE_TEST_DATABASE").is_ok_and(|database| database == "postgres");
    let (time, day) = if postgres { ("TIMESTAMPTZ", "DATE") } else { ("TEXT", "TEXT") };
    app.db().sql(&format!("CREATE TABLE kept (due {time} NOT NULL, day {day} NOT NULL)")).execute().await.unwrap();
    app
}

#[tokio::test]
async fn a_time_is_kept_as_it_was_decoded() {
    let app = start().await;
    for (due, day, same) in [
        ("2030-01-31T12:00:00.1234569+01:00", "2024-02-29", "2030-01-31T11:00:00.123456Z"),
        ("0000-01-01T00:00:00Z", "0000-01-01", "0000-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31", "9999-12-31T23:59:59.999999Z"),
    ] {
        app.db().sql("DELETE FROM kept").execute().await.unwrap();
        let answer = app.post("/t/values/keep").json(&json!({"due": due, "day": day})).send().await;
        let kept: Value = answer.assert_status(200).json();
        assert_eq!(kept, json!([{"due": same, "day": day}]));
    }
}

#[tokio::test]
async fn a_time_that_no_database_keeps_is_422() {
    let app = start().await;
    for due in ["-4800-12-31T23:59:59Z", "+12030-01-01T00:00:00Z", "2030-01-31 12:00:00Z", "2030-01-31T12:00:60Z"] {
        let answer = app.post("/t/values/keep").json(&json!({"due": due, "day": "+12030-01-01"})).send().await;
        assert_eq!(mistakes(&answer), ["body /due format", "body /day format"], "{due}");
        assert!(answer.text().contains("in the years 0000 to 9999"), "{answer}");
    }
}

#[tokio::test]
async fn what_the_document_does_not_say_is_refused_in_every_container() {
    let app = TestApp::start(App::new()).await;
    for (key, value, pointer) in [
        ("prices", json!(["1_000"]), "/prices/0 format"),
        ("prices", json!(["1", "1e3"]), "/prices/1 format"),
        ("prices", json!(["8234567890123456789012345678.9"]), "/prices/0 range"),
        ("ids", json!([null, "67e5504410b1426f9247bb680e5fe0c8"]), "/ids/1 format"),
        ("names", json!(["a", "a"]), "/names/1 unique"),
        ("days", json!(["2024-02-29", "2024-2-29"]), "/days/1 format"),
        ("counts", json!({"2024-2-29": 1}), "/counts/2024-2-29 format"),
        ("pair", json!(["+12030-01-01", 1]), "/pair/0 format"),
        ("pair", json!(["2030-01-01", 1e39]), "/pair/1 range"),
        ("pair", json!(["2030-01-01"]), "/pair length"),
    ] {
        let answer = app.post("/t/values/repeat").json(&json!({ key: value })).send().await;
        assert_eq!(mistakes(&answer), [format!("body {pointer}")], "{key}");
    }
}

#[tokio::test]
async fn what_the_document_says_is_taken_in_every_container() {
    let app = TestApp::start(App::new()).await;
    let all = json!({
        "prices": ["12.50", "-0.0000000000000000000000000001"],
        "ids": [null, "67e55044-10b1-426f-9247-bb680e5fe0c8"],
        "names": ["a"],
        "days": ["2024-02-29", "2024-03-01"],
        "counts": {"2024-02-29": 1.5},
        "pair": ["2030-01-01", 0.5],
        "any": {"a": [1, null, {"b": true}]},
    });
    let same: Value = app.post("/t/values/repeat").json(&all).send().await.assert_status(200).json();
    assert_eq!(same, all);
}

#[tokio::test]
async fn what_has_no_words_is_500_and_never_null() {
    let app = TestApp::start(App::new()).await;
    for odd in ["Nan", "Late", "Header"] {
        let answer = app.get(&format!("/t/values/odd/{odd}")).send().await.assert_status(500);
        assert_eq!(answer.code(), "internal", "{odd}");
    }
    let fine: Value = app.get("/t/values/odd/Fine").send().await.assert_status(200).json();
    assert_eq!(fine, json!({"plain": 1.5, "deep": {}, "late": null}));
}
