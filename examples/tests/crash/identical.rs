//! One payment asked for a thousand times at once, of three instances.

use std::collections::BTreeSet;

use bunbase::testing::TestDatabase;
use futures_util::future::join_all;
use serde_json::json;

use crate::{kills::count, process::Application};

const CALLS: usize = 1000;
const INSTANCES: usize = 3;

async fn ask_again_and_again(database: TestDatabase) {
    let application = Application::over(database);
    let servers: Vec<_> = (0..INSTANCES).map(|_| application.server()).collect();
    let http = reqwest::Client::new();
    let calls = (0..CALLS).map(|call| {
        let (http, url) = (http.clone(), servers[call % INSTANCES].1.clone());
        async move {
            let request = http.post(format!("{url}/payments")).header("idempotency-key", "invoice-7");
            let answer = request.json(&json!({ "amount": 7 })).send().await.expect("an answer");
            (answer.status().as_u16(), answer.bytes().await.expect("a body"))
        }
    });
    let answers = join_all(calls).await;

    let db = application.db().await;
    assert_eq!(count(&db, "SELECT count(*) FROM paid").await, 1, "it was paid once");
    let bodies: BTreeSet<_> = answers.iter().filter(|(status, _)| *status == 201).map(|(_, body)| body).collect();
    assert_eq!(bodies.len(), 1, "every answer is the first one's, byte for byte: {bodies:?}");
    let others: Vec<_> = answers.iter().filter(|(status, _)| *status != 201 && *status != 409).collect();
    assert!(others.is_empty(), "{others:?}");
    db.close().await;

    let again = http.post(format!("{}/payments", servers[0].1)).header("idempotency-key", "invoice-7");
    let other = again.json(&json!({ "amount": 8 })).send().await.expect("an answer");
    assert_eq!(other.status(), 422, "the same key with another amount");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_identical_calls_of_three_instances_are_one_payment() {
    for database in TestDatabase::each().await.expect("databases") {
        ask_again_and_again(database).await;
    }
}
