//! A limit that several processes share.

use bunbase::testing::TestDatabase;
use futures_util::future::join_all;
use reqwest::Client;

use super::process::Application;

/// Asks 200 times at once, four processes in turn, and returns how many were let through.
async fn let_through(application: &Application, variables: &[(&str, &str)]) -> usize {
    let servers: Vec<_> = (0..4).map(|_| application.server_with(variables)).collect();
    let client = Client::builder().no_proxy().build().expect("a client");
    let ask = |i: usize| client.post(format!("{}/limited", servers[i % 4].1)).send();
    let answers = join_all((0..200).map(ask)).await;
    let statuses = answers.into_iter().map(|answer| answer.expect("an answer").status().as_u16());
    let statuses: Vec<u16> = statuses.collect();
    assert!(statuses.iter().all(|status| matches!(status, 204 | 429)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 204).count()
}

#[bunbase::test]
async fn of_two_hundred_calls_to_four_processes_exactly_fifty_pass() {
    let application = Application::over(TestDatabase::create().await.expect("a database"));
    assert_eq!(let_through(&application, &[("BUNBASE__RATE_LIMIT__BACKEND", "sql")]).await, 50);
    if bunbase::redis::testing::shared().await.expect("Redis where it must be").is_none() {
        return;
    }
    let url = std::env::var("BUNBASE_TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let prefix = bunbase::redis::testing::prefix();
    assert_eq!(let_through(&application, &[("REDIS_URL", &url), ("BUNBASE__REDIS__PREFIX", &prefix)]).await, 50);
}

#[bunbase::test]
async fn a_process_that_counts_in_memory_counts_for_itself() {
    let application = Application::over(TestDatabase::create().await.expect("a database"));
    assert_eq!(let_through(&application, &[("BUNBASE__RATE_LIMIT__BACKEND", "memory")]).await, 200);
}
