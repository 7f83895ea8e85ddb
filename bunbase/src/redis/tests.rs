//! The pool, on servers of the test's own.

use std::time::{Duration, Instant};

use super::{Redis, Script, Settings, cmd, testing::RedisServer};

#[tokio::test]
async fn a_server_that_is_away_is_noticed_at_once_and_comes_back_by_itself() {
    let Some(mut server) = RedisServer::start().await.unwrap() else { return };
    let redis = server.redis().unwrap();
    redis.run::<()>(cmd("SET").arg("a").arg(1)).await.unwrap();
    server.stop();
    assert_eq!(redis.ping().await.unwrap_err().code(), "redis_unavailable");
    assert!(redis.is_away());
    let asked = Instant::now();
    for _ in 0..100 {
        assert_eq!(redis.run::<()>(cmd("SET").arg("a").arg(1)).await.unwrap_err().status(), 503);
    }
    assert!(asked.elapsed() < Duration::from_secs(2), "nobody waits for a server that is known to be away");
    server.start_again().await.unwrap();
    while redis.ping().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!redis.is_away());
    assert_eq!(redis.read::<Option<i64>>(cmd("GET").arg("a")).await.unwrap(), None);
}

#[tokio::test]
async fn a_read_survives_a_restart_between_two_of_them() {
    let Some(mut server) = RedisServer::start().await.unwrap() else { return };
    let redis = server.redis().unwrap();
    redis.ping().await.unwrap();
    server.stop();
    server.start_again().await.unwrap();
    redis.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_hears_and_does_not_answer_is_given_up_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("mute.sock");
    let _listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let settings = Settings {
        connect_timeout: Duration::from_millis(200),
        ..Settings::new(format!("unix://{}", socket.display()), "")
    };
    let asked = Instant::now();
    assert_eq!(Redis::open(&settings).unwrap().ping().await.unwrap_err().code(), "redis_unavailable");
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_script_is_loaded_again_after_the_server_has_forgotten_it() {
    let Some(server) = RedisServer::start().await.unwrap() else { return };
    let redis = server.redis().unwrap();
    let script = Script::new("return ARGV[1]");
    assert_eq!(redis.script::<i64>(&script.arg(1)).await.unwrap(), 1);
    redis.run::<()>(cmd("SCRIPT").arg("FLUSH")).await.unwrap();
    assert_eq!(redis.script::<i64>(&script.arg(2)).await.unwrap(), 2);
}

#[tokio::test]
async fn a_mistake_is_no_outage() {
    let Some(server) = RedisServer::start().await.unwrap() else { return };
    let redis = server.redis().unwrap();
    redis.run::<()>(cmd("SET").arg("a").arg("x")).await.unwrap();
    assert_eq!(redis.run::<i64>(cmd("INCR").arg("a")).await.unwrap_err().code(), "internal");
    assert!(!redis.is_away());
}
