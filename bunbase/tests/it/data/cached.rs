//! Answers that are kept: `cache(…)` on an action that reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bunbase::{
    clock::Clock,
    prelude::*,
    testing::{TestApp, TestResponse},
};
use futures_util::future::join_all;
use serde_json::Value;

bunbase::module!(name = "cached", prefix = "/t/cached");

/// How often handlers have run.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicU32>);

impl Runs {
    fn next(ctx: &Ctx) -> Result<u32> {
        Ok(ctx.state::<Self>()?.0.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Why there is no such thing.
#[derive(ActionError, Debug)]
enum NoThing {
    /// Nothing has this id.
    #[error(status = 404, code = "thing_missing", "nothing has the id {0}")]
    Missing(i64),
    #[error(framework)]
    Other(#[from] bunbase::Error),
}

/// Shows a thing.
#[action(
    get = "/things/{id}",
    tool,
    cache(ttl = "1m", stale = "30s", tags = ["things", "thing/{id}"]),
    guards = [rate_limit(100_000).per(DAY).by_ip()]
)]
async fn thing(ctx: Ctx, id: i64, #[header("X-Language")] language: Option<String>) -> Result<String, NoThing> {
    let run = Runs::next(&ctx)?;
    tokio::task::yield_now().await;
    if id == 404 { Err(NoThing::Missing(id)) } else { Ok(format!("{id} {} {run}", language.unwrap_or_default())) }
}

/// Changes a thing.
#[action(put = "/things/{id}")]
async fn change(ctx: Ctx, id: i64) -> Result<()> {
    ctx.cache().invalidate([format!("thing/{id}")]).await
}

/// Shows what is the caller's own.
#[action(get = "/own", cache(ttl = "1m", vary = [user, input]))]
async fn own(ctx: Ctx, #[guard] who: ApiKey) -> Result<String> {
    Ok(format!("{} {}", who.holder, Runs::next(&ctx)?))
}

/// Shows the same to all who have a key.
#[action(get = "/gated", cache(ttl = "1m"), guards = [api_key()])]
async fn gated(ctx: Ctx) -> Result<u32> {
    Runs::next(&ctx)
}

/// Sets a cookie for whoever comes.
struct Greets;

impl Guard for Greets {
    type Error = bunbase::Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        ctx.answer_with(|headers| headers.push(("set-cookie", "seen=1".to_owned())));
        Ok(())
    }

    fn admits_everybody(&self) -> bool {
        true
    }
}

/// Is shown with a cookie.
#[action(get = "/greeted", cache(ttl = "1m"), guards = [Greets])]
async fn greeted(ctx: Ctx) -> Result<u32> {
    Runs::next(&ctx)
}

/// Shows bytes.
#[action(get = "/picture", cache(ttl = "1m"), content_type = "image/png")]
async fn picture(ctx: Ctx) -> Result<Bytes> {
    Runs::next(&ctx)?;
    Ok(Bytes::from_static(&[0x89, 0x50, 0xff, 0x00]))
}

async fn app() -> (TestApp, Runs, Clock) {
    let (runs, clock) = (Runs::default(), Clock::system());
    let keys = ApiKeys::new().with("ann", "let-me-in-please-0123456789").with("bob", "me-too-please-0123456789");
    let app = App::new().state(runs.clone()).state(keys).clock(clock.clone());
    (TestApp::start(app).await, runs, clock)
}

fn is_hit(answer: &TestResponse) -> bool {
    answer.header("cache-status").unwrap().starts_with("bunbase; hit")
}

#[tokio::test]
async fn an_answer_is_made_once_and_shown_until_its_time_is_over() {
    let (app, runs, clock) = app().await;
    let get = || app.get("/t/cached/things/1").send();
    let first = get().await.assert_status(200);
    assert!(!is_hit(&first));
    assert_eq!(first.header("cache-control"), Some("public, max-age=60, stale-while-revalidate=30"));
    clock.advance(Duration::from_secs(20));
    let second = get().await.assert_status(200);
    assert!(is_hit(&second));
    assert_eq!((second.bytes(), second.header("etag")), (first.bytes(), first.header("etag")));
    let max_age = second.header("cache-control").unwrap();
    assert!(max_age.starts_with("public, max-age=40,") || max_age.starts_with("public, max-age=39,"), "{max_age}");
    assert_eq!(second.header("content-type"), Some("application/json"));
    assert_eq!(second.header("ratelimit-remaining"), Some("99998"), "a guard runs each time");
    clock.advance(Duration::from_secs(100));
    assert!(!is_hit(&get().await));
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn many_who_ask_at_once_have_it_made_once() {
    let (app, runs, _) = app().await;
    let answers = join_all((0..200).map(|_| app.get("/t/cached/things/7").send())).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn another_input_is_another_answer_and_caches_are_told_so() {
    let (app, runs, _) = app().await;
    let get = |id: i64, language: &'static str| {
        app.get(&format!("/t/cached/things/{id}")).header("x-language", language).send()
    };
    assert_eq!(get(1, "de").await.json::<String>(), "1 de 1");
    assert_eq!(get(1, "fr").await.json::<String>(), "1 fr 2");
    assert_eq!(get(2, "de").await.json::<String>(), "2 de 3");
    let again = get(1, "de").await;
    assert_eq!(again.json::<String>(), "1 de 1");
    assert_eq!(again.header("vary"), Some("x-language"));
    assert_eq!(runs.count(), 3);
}

#[tokio::test]
async fn who_has_the_answer_already_is_told_so() {
    let (app, _, _) = app().await;
    let first = app.get("/t/cached/things/1").send().await;
    let etag = first.header("etag").unwrap().to_owned();
    let known = |tags: String| app.get("/t/cached/things/1").header("if-none-match", &tags).send();
    for tags in [etag.clone(), format!("\"other\", {etag}"), etag.trim_start_matches("W/").to_owned(), "*".to_owned()] {
        let answer = known(tags).await.assert_status(304);
        assert!(answer.bytes().is_empty());
        for header in ["etag", "cache-control", "vary", "x-trace-id"] {
            let (have, had) = (answer.header(header), first.header(header));
            let is_same = have == had || matches!(header, "x-trace-id" | "cache-control");
            assert!(have.is_some() && is_same, "{header}: {have:?} and {had:?}");
        }
    }
    known("\"other\"".to_owned()).await.assert_status(200);
    let head = app.request("HEAD", "/t/cached/things/1").header("if-none-match", &etag).send().await;
    head.assert_status(304);
}

#[tokio::test]
async fn an_error_is_not_kept() {
    let (app, runs, _) = app().await;
    for _ in 0..2 {
        let answer = app.get("/t/cached/things/404").send().await.assert_status(404);
        assert_eq!((answer.code().as_str(), answer.header("cache-control")), ("thing_missing", Some("no-store")));
    }
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn a_tag_of_a_field_invalidates_the_answers_of_its_value() {
    let (app, runs, _) = app().await;
    for id in [1, 2] {
        app.get(&format!("/t/cached/things/{id}")).send().await.assert_status(200);
    }
    app.put("/t/cached/things/1").send().await.assert_status(204);
    assert!(!is_hit(&app.get("/t/cached/things/1").send().await));
    assert!(is_hit(&app.get("/t/cached/things/2").send().await));
    assert_eq!(runs.count(), 3);
}

#[tokio::test]
async fn what_is_the_callers_own_is_shown_to_nobody_else() {
    let (app, runs, _) = app().await;
    let get = |key: &'static str| app.get("/t/cached/own").header("x-api-key", key).send();
    let ann = get("let-me-in-please-0123456789").await.assert_status(200);
    assert_eq!(ann.json::<String>(), "ann 1");
    assert_eq!((ann.header("cache-control"), ann.header("vary")), (Some("private, max-age=60"), Some("x-api-key")));
    assert_eq!(get("me-too-please-0123456789").await.json::<String>(), "bob 2");
    assert!(get("let-me-in-please-0123456789").await.json::<String>() == "ann 1");
    app.get("/t/cached/own").send().await.assert_status(401);
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn an_answer_behind_a_guard_or_with_a_cookie_is_never_public() {
    let (app, _, _) = app().await;
    for _ in 0..2 {
        let gated = app.get("/t/cached/gated").header("x-api-key", "let-me-in-please-0123456789").send().await;
        assert!(gated.header("cache-control").unwrap().starts_with("private, max-age="));
        let greeted = app.get("/t/cached/greeted").send().await.assert_status(200);
        assert_eq!(greeted.header("cache-control"), Some("private, no-cache"));
        let known = app.get("/t/cached/things/1").header("authorization", "Bearer x").send().await;
        assert!(known.header("cache-control").unwrap().starts_with("private, "));
    }
    app.get("/t/cached/gated").send().await.assert_status(401);
}

#[tokio::test]
async fn bytes_are_kept_as_they_are() {
    let (app, runs, _) = app().await;
    for _ in 0..2 {
        let answer = app.get("/t/cached/picture").send().await.assert_status(200);
        assert_eq!(
            (answer.bytes().as_ref(), answer.header("content-type")),
            (&[0x89, 0x50, 0xff, 0x00][..], Some("image/png"))
        );
    }
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn a_typed_call_is_not_answered_from_the_cache() {
    let (app, runs, _) = app().await;
    for _ in 0..2 {
        app.call(Thing::new(1)).await.unwrap();
    }
    assert_eq!(runs.count(), 2);
}

#[tokio::test]
async fn the_document_tells_of_versions_and_of_304() {
    let (app, _, _) = app().await;
    let document: Value = app.get("/openapi.json").send().await.json();
    let responses = &document["paths"]["/t/cached/things/{id}"]["get"]["responses"];
    for status in ["200", "304"] {
        assert!(responses[status]["headers"]["ETag"].is_object(), "{status}: {responses:#}");
    }
}
