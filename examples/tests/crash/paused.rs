//! A worker that sleeps through its lease.

use bunbase::testing::TestDatabase;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::{
    kills::{count, reached},
    process::Application,
};

async fn sleep_through_a_lease(database: TestDatabase) {
    let application = Application::over(database);
    let db = application.db().await;
    let (_server, url) = application.server();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let body = json!({ "n": 1, "address": address });
    let answer = reqwest::Client::new().post(format!("{url}/hold")).json(&body).send().await.expect("an answer");
    assert_eq!(answer.status(), 201);

    let sleeper = application.worker();
    let (mut first, _) = listener.accept().await.expect("the first worker runs it");
    sleeper.signal("STOP");
    let taker = application.worker();
    let (mut second, _) = listener.accept().await.expect("the second takes it, once the lease is over");
    second.write_u8(1).await.expect("it listens");
    reached(&db, "SELECT count(*) FROM job_queue WHERE status = 'completed'", 1).await;

    sleeper.signal("CONT");
    // It goes on where it was, and may not end what is another's.
    let _ = first.write_u8(1).await;
    sleeper.signal("TERM");
    assert!(sleeper.ended());
    assert_eq!(
        count(&db, "SELECT count(*) FROM worked").await,
        1,
        "the effect of the one that lost its lease is undone"
    );
    assert_eq!(count(&db, "SELECT count(*) FROM job_queue WHERE status = 'completed' AND claims = 2").await, 1);
    assert_eq!(
        count(&db, "SELECT count(*) FROM job_queue").await + count(&db, "SELECT count(*) FROM job_failures").await,
        1
    );
    drop(taker);
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_changes_nothing() {
    for database in TestDatabase::each().await.expect("databases") {
        sleep_through_a_lease(database).await;
    }
}
