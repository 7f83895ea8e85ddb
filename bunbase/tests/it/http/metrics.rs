//! The metrics. Who may read them is in `pages`.

use bunbase::{prelude::*, testing::TestApp};

/// Counts up.
#[action(post = "/metrics/count")]
async fn count_up(ctx: Ctx) -> Result<i64> {
    ctx.sql("SELECT CAST(1 AS BIGINT)").scalar().await
}

#[tokio::test]
async fn what_an_action_asks_of_the_database_is_in_the_metrics() {
    let app = TestApp::start(App::new()).await;
    app.post("/metrics/count").send().await.assert_status(200);
    let answer = app.get("/_metrics").send().await.assert_status(200);
    assert_eq!(
        (answer.header("content-type"), answer.header("cache-control")),
        (Some("application/openmetrics-text; version=1.0.0; charset=utf-8"), Some("no-store"))
    );
    let text = answer.text();
    let selects = "bunbase_db_query_duration_ms_count{operation=\"select\",target=\"primary\"} ";
    let count = text.lines().find_map(|line| line.strip_prefix(selects)).unwrap();
    assert!(count.parse::<u64>().unwrap() >= 1);
    assert!(text.contains("bunbase_db_pool_connections{state=\"idle\"}"), "{text}");
    assert!(text.contains("bunbase_run_records_total{result=\"written\"}"), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn they_have_their_own_path_or_none() {
    let moved = TestApp::start(App::new().config("metrics.path", "/internal/metrics")).await;
    moved.get("/internal/metrics").send().await.assert_status(200);
    moved.get("/_metrics").send().await.assert_status(404);
    let off = TestApp::start(App::new().config("metrics.access", "off")).await;
    assert_eq!(off.get("/_metrics").send().await.assert_status(404).code(), "no_route");
}
