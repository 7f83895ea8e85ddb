//! Sessions of several processes, which have nothing in common but a database and a secret.

use std::time::{Duration, Instant};

use bunbase::testing::TestDatabase;
use reqwest::Client;
use serde_json::json;

use super::process::Application;

const OLD: &str = "an old secret of more than thirty-two bytes";
const NEW: &str = "a new secret of more than thirty-two bytes";

async fn token_of(client: &Client, url: &str) -> String {
    let answer = client.post(format!("{url}/sign-in")).json(&json!({ "user": "ann" })).send().await;
    answer.expect("an answer").json().await.expect("a token")
}

async fn me(client: &Client, url: &str, token: &str) -> u16 {
    client.get(format!("{url}/me")).bearer_auth(token).send().await.expect("an answer").status().as_u16()
}

#[bunbase::test]
async fn a_session_outlives_its_process_and_a_change_of_the_secret_and_no_sign_out() {
    let application = Application::over(TestDatabase::create().await.expect("a database"));
    let client = Client::builder().no_proxy().build().expect("a client");
    let (first, at) = application.server_with(&[("BUNBASE_SECRET", OLD)]);
    let token = token_of(&client, &at).await;
    let other = token_of(&client, &at).await;
    first.kill();
    let rotated = [("BUNBASE_SECRET", NEW), ("BUNBASE__APP__PREVIOUS_SECRETS", OLD)];
    let (_second, here) = application.server_with(&rotated);
    let (third, there) = application.server_with(&rotated);
    assert_eq!((me(&client, &here, &token).await, me(&client, &there, &token).await), (200, 200));
    let out = client.post(format!("{here}/sign-out")).bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(out.status().as_u16(), 204);
    let ended = Instant::now();
    assert_eq!(me(&client, &here, &token).await, 401);
    while me(&client, &there, &token).await != 401 {
        assert!(ended.elapsed() < Duration::from_secs(5), "five seconds are over");
        tokio::task::yield_now().await;
    }
    // One that starts afterwards knows of it, and one without the old secret knows none of its tokens.
    third.kill();
    let (_fourth, again) = application.server_with(&rotated);
    assert_eq!((me(&client, &again, &token).await, me(&client, &again, &other).await), (401, 200));
    let (_fifth, retired) = application.server_with(&[("BUNBASE_SECRET", NEW)]);
    assert_eq!(me(&client, &retired, &other).await, 401);
}

#[bunbase::test]
async fn without_a_secret_production_does_not_start() {
    let application = Application::over(TestDatabase::create().await.expect("a database"));
    let said = application.refused(&[("BUNBASE_ENV", "production")]);
    assert!(said.contains("app.secret") && said.contains("BUNBASE_SECRET"), "{said}");
    let said = application.refused(&[("BUNBASE_ENV", "production"), ("BUNBASE_SECRET", "hunter2")]);
    assert!(said.contains("at least 32") && !said.contains("hunter2"), "{said}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, NEW).expect("it is written");
    let file = file.to_str().expect("a text");
    let (_server, url) = application.server_with(&[
        ("BUNBASE_ENV", "production"),
        ("BUNBASE__HTTP__HOST", "127.0.0.1"),
        ("BUNBASE_SECRET_FILE", file),
    ]);
    let client = Client::builder().no_proxy().build().expect("a client");
    let token = token_of(&client, &url).await;
    assert_eq!(me(&client, &url, &token).await, 200);
}
