//! Limits on how often a caller may come.

use bunbase::{Error, prelude::*, testing::TestApp};
use futures_util::future::join_all;
use serde_json::{Value, json};

bunbase::module!(prefix = "/t/limits", guards = [rate_limit(1000).per(DAY)]);

/// Takes ten a day from an address.
#[action(get = "/by-ip", tool, guards = [rate_limit(10).per(DAY).by_ip()])]
async fn by_ip(ctx: Ctx) -> Result<String> {
    let address = ctx.request().and_then(bunbase::context::Request::client_ip);
    Ok(address.map_or_else(String::new, |address| address.to_string()))
}

/// Takes two a day from a holder of a key, or from an address.
#[action(get = "/by-user", guards = [Known, rate_limit(2).per(DAY).by_user()])]
async fn by_user() -> Result<()> {
    Ok(())
}

/// Takes two a day for a project.
#[action(get = "/projects/{project_id}", guards = [rate_limit(2).per(DAY).by_key(project)])]
async fn of_project(project_id: i64) -> Result<i64> {
    Ok(project_id)
}

fn project(ctx: &Ctx) -> Result<String> {
    Ok(ctx.path_param::<i64>("project_id")?.to_string())
}

/// Shares its limit.
#[action(get = "/first", guards = [rate_limit(3).per(DAY).shared("pair").by_ip()])]
async fn first() -> Result<()> {
    Ok(())
}

/// Shares it with the other one.
#[action(get = "/second", guards = [rate_limit(3).per(DAY).shared("pair").by_ip()])]
async fn second() -> Result<()> {
    Ok(())
}

/// Takes three at once.
#[action(get = "/burst", guards = [rate_limit(1).per(DAY).burst(3)])]
async fn burst() -> Result<()> {
    Ok(())
}

async fn twice_an_address(ctx: &Ctx, input: &Mail) -> Result<()> {
    Ok(rate_limit(2).per(DAY).check(ctx, &input.to).await?)
}

/// Sends to an address twice a day.
#[action(post = "/mail", check_input = twice_an_address)]
async fn mail(to: String) -> Result<()> {
    let _ = to;
    Ok(())
}

/// Calls the one that is limited.
#[action(post = "/around")]
async fn around(ctx: Ctx) -> Result<()> {
    for _ in 0..20 {
        ctx.call(ByIp::new()).await?;
    }
    Ok(())
}

/// Establishes who has a key, and lets all others be.
struct Known;

impl Guard for Known {
    type Error = Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        ctx.provide::<Option<ApiKey>>().await.map(drop)
    }
}

async fn app() -> TestApp {
    let keys = ApiKeys::new().with("ann", "let-me-in-please-0123456789").with("bob", "me-too-please-0123456789");
    TestApp::start(App::new().state(keys)).await
}

#[tokio::test]
async fn a_limit_lets_exactly_so_many_through_and_says_how_many_are_left() {
    let app = app().await;
    let first = app.get("/t/limits/by-ip").send().await.assert_status(200);
    assert_eq!(first.header("ratelimit-limit"), Some("10"));
    assert_eq!(first.header("ratelimit-remaining"), Some("9"));
    assert_eq!(first.header("ratelimit-policy"), Some("1000;w=86400, 10;w=86400"));
    let reset: u64 = first.header("ratelimit-reset").unwrap().parse().unwrap();
    assert!((86_400 - 5400..=86_400 + 5400).contains(&reset), "{reset}");
    assert_eq!(first.header("retry-after"), None);
    let answers = join_all((0..30).map(|_| app.get("/t/limits/by-ip").send())).await;
    let (passed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 200);
    assert_eq!((passed.len(), refused.len()), (9, 21));
    for answer in refused {
        assert_eq!((answer.status(), answer.code().as_str()), (429, "rate_limited"));
        assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
        assert_eq!(answer.header("retry-after"), answer.header("ratelimit-reset"));
    }
}

#[tokio::test]
async fn each_address_counts_apart_and_ipv6_by_its_network() {
    let app = app().await;
    let from = |address: &str| app.get("/t/limits/by-ip").peer(address.parse::<std::net::IpAddr>().unwrap()).send();
    for _ in 0..10 {
        from("203.0.113.1").await.assert_status(200);
        from("2001:db8::1").await.assert_status(200);
    }
    from("203.0.113.1").await.assert_status(429);
    from("::ffff:203.0.113.1").await.assert_status(429);
    from("203.0.113.2").await.assert_status(200);
    from("2001:db8::ffff").await.assert_status(429);
    from("2001:db8:0:1::1").await.assert_status(200);
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is_and_nobody_else() {
    let app = TestApp::start(App::new().config("http.trusted_proxies", ["10.0.0.0/8"])).await;
    let from = |peer: &str, said: &str| {
        let request = app.get("/t/limits/by-ip").peer(peer.parse::<std::net::IpAddr>().unwrap());
        request.header("x-forwarded-for", said).send()
    };
    assert_eq!(from("10.0.0.1", "203.0.113.7").await.assert_status(200).json::<String>(), "203.0.113.7");
    for i in 0..9 {
        from("10.0.0.1", &format!("198.51.100.{i}, 203.0.113.7")).await.assert_status(200);
    }
    from("10.0.0.2", "203.0.113.7").await.assert_status(429);
    from("10.0.0.1", "203.0.113.8").await.assert_status(200);
    assert_eq!(from("192.0.2.1", "203.0.113.9").await.assert_status(200).json::<String>(), "192.0.2.1");
}

#[tokio::test]
async fn a_user_counts_wherever_it_comes_from_and_strangers_by_address() {
    let app = app().await;
    let with = |key: &str, peer: [u8; 4]| app.get("/t/limits/by-user").header("x-api-key", key).peer(peer).send();
    with("let-me-in-please-0123456789", [10, 0, 0, 1]).await.assert_status(204);
    with("let-me-in-please-0123456789", [10, 0, 0, 2]).await.assert_status(204);
    with("let-me-in-please-0123456789", [10, 0, 0, 3]).await.assert_status(429);
    with("me-too-please-0123456789", [10, 0, 0, 1]).await.assert_status(204);
    for status in [204, 204, 429] {
        app.get("/t/limits/by-user").peer([10, 0, 0, 1]).send().await.assert_status(status);
    }
}

#[tokio::test]
async fn a_key_of_ones_own_counts_and_its_error_refuses() {
    let app = app().await;
    for (project, status) in [(1, 200), (1, 200), (1, 429), (2, 200)] {
        app.get(&format!("/t/limits/projects/{project}")).send().await.assert_status(status);
    }
    app.get("/t/limits/projects/x").send().await.assert_status(422);
    for (to, status) in [("a", 204), ("a", 204), ("a", 429), ("b", 204)] {
        app.post("/t/limits/mail").json(&json!({ "to": to })).send().await.assert_status(status);
    }
    let refused = Error::from(app.call(Mail::new("a".to_owned())).await.unwrap_err());
    assert_eq!(refused.status(), 429, "what the input counts by counts behind every door");
}

#[tokio::test]
async fn a_limit_is_shared_by_its_name() {
    let app = app().await;
    for (path, status) in [("first", 204), ("second", 204), ("first", 204), ("second", 429), ("first", 429)] {
        app.get(&format!("/t/limits/{path}")).send().await.assert_status(status);
    }
}

#[tokio::test]
async fn a_bucket_takes_what_it_holds() {
    let app = app().await;
    for status in [204, 204, 204, 429] {
        app.get("/t/limits/burst").send().await.assert_status(status);
    }
}

#[tokio::test]
async fn what_is_called_from_within_is_not_limited() {
    let app = app().await;
    app.post("/t/limits/around").send().await.assert_status(204);
    app.call(Around::new()).await.unwrap();
    assert_eq!(app.get("/t/limits/by-ip").send().await.header("ratelimit-remaining"), Some("9"));
}

#[tokio::test]
async fn the_document_tells_of_the_limit() {
    let app = app().await;
    let document: Value = app.get("/openapi.json").send().await.json();
    let responses = &document["paths"]["/t/limits/by-ip"]["get"]["responses"];
    for status in ["200", "429"] {
        assert!(responses[status]["headers"]["RateLimit-Remaining"].is_object(), "{status}: {responses:#}");
    }
    assert!(responses["429"]["headers"]["Retry-After"].is_object());
    assert!(responses["429"].to_string().contains("rate_limited"));
}

#[tokio::test]
async fn without_a_place_that_all_share_the_database_counts_where_it_is_told_to() {
    let app = TestApp::start(App::new().config("rate_limit.backend", "sql")).await;
    app.get("/t/limits/burst").send().await.assert_status(204);
    let rows = "SELECT count(*) FROM rate_limits";
    assert_eq!(app.db().sql(rows).scalar::<i64>().await.unwrap(), 2, "the module's and the action's own");
}
