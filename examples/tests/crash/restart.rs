//! A database that goes away and comes back.

use std::time::Duration;

use serde_json::json;

use crate::{kills::reached, postgres, process::Application};

/// Waits until readiness is what it should be.
async fn ready_is(url: &str, status: u16) {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..1200 {
        look.tick().await;
        let answer = reqwest::get(format!("{url}/_health/ready")).await.expect("the server itself stays");
        if answer.status() == status {
            return;
        }
    }
    panic!("`/_health/ready` never said {status}");
}

#[tokio::test]
async fn workers_and_listeners_come_back_with_the_database_and_nothing_is_lost() {
    let Some(cluster) = postgres::start("") else { return };
    let application = Application::at(&cluster.url());
    let (_server, url) = application.server();
    let _workers = [application.worker(), application.worker()];
    let http = reqwest::Client::new();
    let feed = async |from: i64| {
        let body = json!({ "from": from, "count": 500 });
        http.post(format!("{url}/feed")).json(&body).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(feed(0).await, 204);
    let db = application.db().await;
    reached(&db, "SELECT count(*) FROM worked", 100).await;
    db.close().await;
    cluster.crash().expect("it runs");
    ready_is(&url, 503).await;
    assert_eq!(feed(1000).await, 503, "it says so, and does not hang");

    cluster.up().expect("it starts");
    ready_is(&url, 200).await;
    assert_eq!(feed(2000).await, 204);
    let db = application.db().await;
    // New work is heard of without a poll: the listeners have reconnected.
    reached(&db, "SELECT count(DISTINCT n) FROM told", 1000).await;
    reached(&db, "SELECT count(*) FROM job_queue WHERE status = 'completed'", 2000).await;
    let stuck: i64 =
        db.sql("SELECT count(*) FROM job_queue WHERE status <> 'completed'").scalar().await.expect("a count");
    let twice: i64 = db.sql("SELECT count(*) - count(DISTINCT n) FROM worked").scalar().await.expect("a count");
    assert_eq!((stuck, twice), (0, 0));
    db.close().await;
}
