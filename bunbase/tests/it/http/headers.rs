//! The headers that tell browsers to be careful.

use actix_web::{HttpResponse, web};
use bunbase::{prelude::*, testing::TestApp};

bunbase::module!(prefix = "/t/headers");

/// Data.
#[action(get = "/data")]
async fn data() -> Result<Vec<i32>> {
    Ok(vec![1])
}

/// What an action says by itself.
#[schema]
struct InFrames {
    word: String,
    #[header("X-Frame-Options")]
    frame: String,
    #[header("Content-Security-Policy")]
    policy: String,
    #[header("Cross-Origin-Resource-Policy")]
    resource: String,
}

/// Data for frames.
#[action(get = "/framed")]
async fn framed() -> Result<InFrames> {
    let [frame, policy, resource] = ["SAMEORIGIN", "default-src 'self'", "cross-origin"].map(str::to_owned);
    Ok(InFrames { word: "w".to_owned(), frame, policy, resource })
}

/// A page.
#[action(get = "/text")]
async fn page() -> Result<Html> {
    Ok(Html("<p>".into()))
}

const ALWAYS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];
const DATA_POLICY: Option<&str> = Some("default-src 'none'; frame-ancestors 'none'");

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let mounted = App::new().configure(|config| {
        config.route("/t/headers/mounted", web::get().to(async || HttpResponse::Ok().body("fine")));
    });
    let app = TestApp::start(mounted).await;
    for (path, policy) in [
        ("/t/headers/data", DATA_POLICY),
        ("/t/headers/text", None),
        ("/t/headers/mounted", None),
        ("/nowhere", DATA_POLICY),
        ("/_health", DATA_POLICY),
        ("/openapi.json", DATA_POLICY),
    ] {
        let answer = app.get(path).send().await;
        for (name, value) in ALWAYS {
            assert_eq!(answer.headers(name), [value], "{path} {name}");
        }
        assert_eq!(answer.header("content-security-policy"), policy, "{path}");
        assert_eq!(answer.header("strict-transport-security"), None);
    }
    assert_eq!(app.get("/t/headers/text").send().await.header("cross-origin-opener-policy"), Some("same-origin"));
}

#[tokio::test]
async fn what_an_action_says_itself_is_left_as_it_is() {
    let app = TestApp::start(App::new()).await;
    let answer = app.get("/t/headers/framed").send().await.assert_status(200);
    assert_eq!(answer.headers("x-frame-options"), ["SAMEORIGIN"]);
    assert_eq!(answer.headers("content-security-policy"), ["default-src 'self'"]);
    assert_eq!(answer.headers("cross-origin-resource-policy"), ["cross-origin"]);
}

#[tokio::test]
async fn the_page_of_the_reference_has_a_policy_of_its_own() {
    let app = TestApp::start(App::new()).await;
    let page = app.get("/docs").send().await.assert_status(200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!((page.headers("x-frame-options"), page.headers("referrer-policy")), (vec!["DENY"], vec!["no-referrer"]));
}

#[tokio::test]
async fn only_over_https_browsers_are_told_to_stay_there() {
    let app = App::new().config("security.hsts", "365d").config("http.trusted_proxies", vec!["127.0.0.1"]);
    let app = TestApp::start(app).await;
    let over = |scheme: &str| app.get("/t/headers/data").header("x-forwarded-proto", scheme).send();
    assert_eq!(over("https").await.header("strict-transport-security"), Some("max-age=31536000"));
    assert_eq!(over("http").await.header("strict-transport-security"), None);
}

#[tokio::test]
async fn each_can_be_another_and_all_can_be_off() {
    let app = App::new()
        .config("security.frame_options", "off")
        .config("security.referrer_policy", "no-referrer")
        .config("security.resource_policy", "cross-origin");
    let app = TestApp::start(app).await;
    let answer = app.get("/t/headers/data").send().await;
    assert_eq!((answer.header("x-frame-options"), answer.header("referrer-policy")), (None, Some("no-referrer")));
    assert_eq!(answer.header("cross-origin-resource-policy"), Some("cross-origin"));
    let app = TestApp::start(App::new().config("security.headers", false)).await;
    let answer = app.get("/t/headers/data").send().await;
    let left: Vec<_> = ALWAYS.iter().filter(|(name, _)| answer.header(name).is_some()).collect();
    assert_eq!(left, [&ALWAYS[0]]);
    assert_eq!(answer.header("content-security-policy"), None);
}
