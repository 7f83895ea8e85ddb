//! Redis and the database go away and come back under load: what is answered meanwhile, how long it takes, and what is recorded.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bunbase::redis::testing::RedisServer;
use reqwest::{Client, Method};

use crate::{kills::count, postgres, process::Application};

/// How long all of it takes.
const LOAD: Duration = Duration::from_mins(1);

/// How long the server waits for a connection to either of the two.
const LIMIT: Duration = Duration::from_secs(2);

/// What an answer may take beyond that, on a machine that does other things too.
const MARGIN: Duration = Duration::from_secs(3);

/// How long after something is back all is well again.
const HEALED: Duration = Duration::from_secs(5);

const CALLS: [(Method, &str); 3] = [(Method::GET, "/kept"), (Method::POST, "/count"), (Method::GET, "/rows")];

/// One answer: the path, when it was asked for and answered since the beginning, the status and the code of its problem.
#[derive(Clone, Debug)]
struct Answer {
    path: &'static str,
    asked: Duration,
    answered: Duration,
    status: u16,
    code: String,
}

type Answers = Arc<Mutex<Vec<Answer>>>;

async fn ask(client: Client, url: String, begun: Instant, done: Arc<AtomicBool>, answers: Answers) {
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    for (method, path) in CALLS.iter().cycle() {
        if done.load(Ordering::Acquire) {
            return;
        }
        pace.tick().await;
        let asked = begun.elapsed();
        let answer =
            client.request(method.clone(), format!("{url}{path}")).send().await.expect("the server itself stays");
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.expect("JSON");
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        let answer = Answer { path, asked, answered: begun.elapsed(), status, code };
        answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }
}

/// A span in which something was away.
#[derive(Clone, Copy, Debug)]
struct Away {
    from: Duration,
    /// When it began to start again.
    starts: Duration,
    /// When it was there again.
    until: Duration,
}

impl Away {
    /// Returns whether all of a call was while it was away.
    fn holds(&self, answer: &Answer) -> bool {
        answer.asked > self.from + LIMIT && answer.answered < self.starts
    }

    /// Returns whether any of a call was while it was away, or while it healed.
    fn touches(&self, answer: &Answer) -> bool {
        answer.answered > self.from && answer.asked < self.until + HEALED
    }
}

/// Returns how often each was answered so.
fn by_kind<'a>(answers: impl Iterator<Item = &'a Answer>) -> BTreeMap<(&'static str, u16, &'a str), usize> {
    let mut kinds = BTreeMap::new();
    for answer in answers {
        *kinds.entry((answer.path, answer.status, answer.code.as_str())).or_default() += 1;
    }
    kinds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_away_costs_what_needs_it_and_comes_back_by_itself() {
    let Some(cluster) = postgres::start("") else { return };
    let Some(mut redis) = RedisServer::start().await.expect("Redis where it must be") else { return };
    let application = Application::at(&cluster.url());
    let redis_url = redis.url();
    let (server, url) = application.server_with(&[
        ("REDIS_URL", &redis_url),
        ("BUNBASE__REDIS__CONNECT_TIMEOUT", "2s"),
        ("BUNBASE__REDIS__COMMAND_TIMEOUT", "2s"),
        ("BUNBASE__DATABASE__ACQUIRE_TIMEOUT", "2s"),
    ]);
    let (answers, done, begun) = (Answers::default(), Arc::<AtomicBool>::default(), Instant::now());
    let client = Client::builder().no_proxy().build().expect("a client");
    let callers: Vec<_> =
        (0..4).map(|_| tokio::spawn(ask(client.clone(), url.clone(), begun, done.clone(), answers.clone()))).collect();
    let at = |seconds: u64| tokio::time::sleep_until((begun + Duration::from_secs(seconds)).into());
    at(10).await;
    let from = begun.elapsed();
    redis.stop();
    at(18).await;
    let starts = begun.elapsed();
    redis.start_again().await.expect("it starts");
    let without_redis = Away { from, starts, until: begun.elapsed() };
    at(30).await;
    let from = begun.elapsed();
    cluster.crash().expect("it runs");
    at(38).await;
    let starts = begun.elapsed();
    cluster.up().expect("it starts");
    let without_database = Away { from, starts, until: begun.elapsed() };
    tokio::time::sleep_until((begun + LOAD).into()).await;
    done.store(true, Ordering::Release);
    for caller in callers {
        caller.await.expect("it ends");
    }
    let answers = std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner));

    let slow: Vec<_> = answers.iter().filter(|one| one.answered - one.asked > LIMIT + MARGIN).collect();
    assert!(slow.is_empty(), "{slow:#?}");
    // Without Redis: what is kept there is made each time, and what is counted there is refused.
    for ((path, status, code), many) in by_kind(answers.iter().filter(|one| without_redis.holds(one))) {
        let is_right = match path {
            "/count" => (status, code) == (503, "redis_unavailable"),
            _ => status == 200,
        };
        assert!(is_right, "without Redis {many} of {path} were {status} {code}");
    }
    // Without the database only what is in it is refused.
    for ((path, status, code), many) in by_kind(answers.iter().filter(|one| without_database.holds(one))) {
        let is_right = match path {
            "/rows" => (status, code) == (503, "database_unavailable"),
            _ => status == 200,
        };
        assert!(is_right, "without the database {many} of {path} were {status} {code}");
    }
    let well = answers.iter().filter(|one| !without_redis.touches(one) && !without_database.touches(one));
    let unwell: Vec<_> = well.filter(|one| one.status != 200).collect();
    assert!(unwell.is_empty(), "with both there, and 5 s after they came back: {unwell:#?}");
    let kinds = by_kind(answers.iter());
    assert!(kinds.contains_key(&("/count", 503, "redis_unavailable")), "{kinds:?}");
    assert!(kinds.contains_key(&("/rows", 503, "database_unavailable")), "{kinds:?}");
    let other: Vec<_> = kinds.keys().filter(|(_, status, _)| !matches!(status, 200 | 503)).collect();
    assert!(other.is_empty(), "{other:?}");

    // Every answer has its record: what came while the database was away waited in the buffer, whose bound was not reached.
    server.signal("TERM");
    assert!(server.ended(), "it ends well");
    let db = application.db().await;
    let recorded = count(&db, "SELECT count(*) FROM action_runs").await;
    let failed = count(&db, "SELECT count(*) FROM action_runs WHERE status <> 'succeeded'").await;
    db.close().await;
    let failures = answers.iter().filter(|one| one.status != 200).count();
    assert_eq!((recorded, failed), (answers.len() as i64, failures as i64), "{kinds:?}");
}
