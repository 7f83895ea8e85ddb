//! Several instances, and clients of their own.

use std::time::{Duration, Instant};

use bunbase::{session::Revocation, testing::ListeningApp};

use super::*;

async fn get(app: &ListeningApp, token: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(app.url("/t/sessions/me")).bearer_auth(token).send().await.unwrap().status().as_u16()
}

async fn sign_out_at(app: &ListeningApp, token: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(app.url("/t/sessions/sign-out")).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 204);
}

async fn token_of(app: &ListeningApp, user: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(app.url("/t/sessions/sign-in")).json(&SignIn::new(user.to_owned())).send().await.unwrap();
    answer.json::<Token>().await.unwrap().token
}

/// Two instances over one database, and over Redis where that is given.
async fn two(how: Revocation, redis: Option<(&str, &str)>) -> (ListeningApp, ListeningApp) {
    let configured = || {
        let app = app().config("session.revocation", how.as_str());
        match redis {
            Some((url, prefix)) => app.config("redis.url", url).config("redis.prefix", prefix),
            None => app,
        }
    };
    let first = ListeningApp::start(configured()).await;
    let second = first.another(configured()).await;
    (first, second)
}

#[bunbase::test]
async fn a_sign_out_here_is_seen_there_within_five_seconds() {
    let (first, second) = two(Revocation::Eventual, None).await;
    let token = token_of(&first, "ann").await;
    assert_eq!((get(&first, &token).await, get(&second, &token).await), (200, 200));
    sign_out_at(&first, &token).await;
    let ended = Instant::now();
    assert_eq!(get(&first, &token).await, 401);
    while get(&second, &token).await != 401 {
        assert!(ended.elapsed() < Duration::from_secs(5), "five seconds are over");
        tokio::task::yield_now().await;
    }
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[bunbase::test]
async fn a_sign_in_here_does_not_survive_a_sign_out_everywhere_there() {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let halt = Arc::<Halt>::default();
    let first = ListeningApp::start(app().state(halt.clone())).await;
    let second = first.another(app()).await;
    let request = client.post(first.url("/t/sessions/sign-in-slowly")).json(&SignInSlowly::new("ann".to_owned()));
    let elsewhere = async {
        halt.checked.notified().await;
        let request = client.post(second.url("/t/sessions/sign-out-everywhere"));
        let answer = request.json(&SignOutEverywhere::new("ann".to_owned())).send().await.unwrap();
        assert_eq!(answer.status(), 204);
        halt.go.notify_one();
    };
    let (refused, ()) = tokio::join!(request.send(), elsewhere);
    assert_eq!(refused.unwrap().status(), 401);
    // Nothing is in the way of the next.
    let token = token_of(&first, "ann").await;
    assert_eq!((get(&first, &token).await, get(&second, &token).await), (200, 200));
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[bunbase::test]
async fn a_sign_out_here_is_seen_there_at_once_with_immediate() {
    let redis = bunbase::redis::testing::RedisServer::start().await.unwrap();
    let (url, prefix) = (redis.as_ref().map(bunbase::redis::testing::RedisServer::url), "sessions:");
    let shares = [None, url.as_deref().map(|url| (url, prefix))];
    for share in shares {
        let (first, second) = two(Revocation::Immediate, share).await;
        for flush in [false, true] {
            let token = token_of(&first, "ann").await;
            assert_eq!((get(&first, &token).await, get(&second, &token).await), (200, 200));
            sign_out_at(&first, &token).await;
            if let (true, Some(redis)) = (flush, &redis) {
                redis.flush().await.unwrap();
            }
            assert_eq!((get(&second, &token).await, get(&first, &token).await), (401, 401), "{share:?} {flush}");
        }
        first.stop().await.unwrap();
        second.stop().await.unwrap();
    }
}
