//! The health endpoints: checks, what they share, and what they tell.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bunbase::{prelude::*, testing::TestApp};
use serde_json::Value;

/// Starts an application with a check that counts and answers what it is told to.
async fn start(max_age: &str, answer: Result<(), &'static str>) -> (TestApp, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let app = App::new().config("health.max_age", max_age).health_check("printer", move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async move { answer }
    });
    (TestApp::start(app).await, asked)
}

#[tokio::test]
async fn all_is_well_when_all_checks_are() {
    let (app, _) = start("1s", Ok(())).await;
    for path in ["/_health", "/_health/live", "/_health/ready"] {
        let answer = app.get(path).send().await.assert_status(200);
        assert_eq!(
            (answer.json::<Value>()["status"].as_str(), answer.header("cache-control")),
            (Some("ok"), Some("no-store"))
        );
    }
    let report: Value = app.get("/_health").send().await.json();
    let names: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["database", "printer"]);
    assert!(report["checks"][0]["latency_ms"].is_number());
}

#[tokio::test]
async fn the_details_tell_of_connections_queues_the_outbox_and_migrations() {
    let (app, _) = start("1s", Ok(())).await;
    let report: Value = app.get("/_health").send().await.assert_status(200).json();
    let connections = &report["checks"][0]["details"]["connections"];
    assert!(connections["idle"].is_u64() && connections["busy"].is_u64(), "{report}");
    assert!(report["queues"].is_array(), "{report}");
    assert_eq!((&report["outbox"]["pending"], &report["outbox"]["oldest_s"]), (&0.into(), &0.0.into()));
    let migrations = &report["migrations"];
    assert!(migrations["applied"].as_u64() > Some(0), "{report}");
    assert_eq!((&migrations["pending"], &migrations["changed"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    let closed = App::new().config("health.access", "token");
    let bare: Value = TestApp::start(closed).await.get("/_health").send().await.assert_status(200).json();
    assert_eq!(bare, serde_json::json!({ "status": "ok" }), "others see the status alone");
}

#[tokio::test]
async fn a_check_that_fails_makes_the_application_not_ready_but_alive() {
    let (app, _) = start("1s", Err("no paper")).await;
    app.get("/_health/live").send().await.assert_status(200);
    let ready = app.get("/_health/ready").send().await.assert_status(503);
    assert_eq!((ready.header("retry-after"), ready.text().contains("paper")), (Some("1"), false));
    let report: Value = app.get("/_health").send().await.assert_status(503).json();
    assert_eq!(report["status"], "degraded");
    assert_eq!((&report["checks"][1]["error"], &report["checks"][0]["status"]), (&"no paper".into(), &"ok".into()));
}

#[tokio::test]
async fn a_check_that_panics_is_one_that_fails() {
    let check = || async { if true { panic!("secret words") } else { Ok::<(), String>(()) } };
    let app = TestApp::start(App::new().health_check("printer", check)).await;
    let report = app.get("/_health").send().await.assert_status(503);
    assert!(report.text().contains("panicked") && !report.text().contains("secret"), "{report}");
}

#[tokio::test]
async fn probes_share_an_answer_that_is_young_enough() {
    let (app, asked) = start("1h", Ok(())).await;
    let probes = (0..8).map(|_| app.get("/_health/ready").send());
    futures_util::future::join_all(probes).await;
    app.get("/_health").send().await.assert_status(200);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let (app, asked) = start("0", Ok(())).await;
    for _ in 0..3 {
        app.get("/_health/ready").send().await.assert_status(200);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}
