//! What does it cost to know who is calling?
//!
//! `cargo run --release -p bunbase-benches -- sessions [--quick]` measures what checking a token takes (`--checks COUNT` does nothing else), how many requests per second an action
//! answers that asks who is signed in beside the same action that does not, in turn, round by round, and how fast `/_health/live`
//! answers while 200 people sign in at once.

use std::{
    hint::black_box,
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bunbase::{
    clock::Clock,
    db::Db,
    password::Passwords,
    session::{Grant, KeyRing, Sessions, Settings, SignOuts},
};

use crate::{
    Result,
    cost::Asked,
    load,
    report::{Goal, Report, median, quantile},
    runner::{self, Request},
    server::{PASSWORD, SECRET},
};

/// How many sign in at once.
const AT_ONCE: usize = 200;

/// Who calls.
fn grant() -> Grant {
    Grant::user(7).role("editor").permissions(["tasks:*", "projects:read"]).organisation("acme")
}

/// Runs the benchmark with what the command line says after `sessions`.
pub(crate) fn main(options: &[&str]) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (rounds, requests) = match options {
        [] => (9, 40_000),
        ["--quick"] => (5, 10_000),
        // For `valgrind --tool=callgrind`: what two numbers of checks differ by is what checks cost.
        ["--checks", count] => {
            let count = count.parse().map_err(std::io::Error::other)?;
            return runtime.block_on(only_checks(count)).map_err(std::io::Error::other);
        }
        _ => {
            let text = format!("`{}` is not known; write: sessions [--quick | --checks COUNT]", options.join(" "));
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text));
        }
    };
    let mut report = Report::new("sessions");
    let measured = || -> Result<()> {
        let token = runtime.block_on(checks(&mut report))?;
        compare(&token, rounds, requests, &mut report)?;
        sign_ins(&mut report)?;
        report.finish()
    };
    measured().map_err(std::io::Error::other)
}

/// Makes what checks tokens, and a token.
async fn ready() -> Result<(Sessions, String)> {
    let db = Db::open(&bunbase::db::Settings::new("sqlite::memory:")).await?;
    bunbase::db::migrate::Plan::new().up(&db).await?;
    let clock = Clock::system();
    let sessions =
        Sessions::new(Settings::default(), clock.clone(), SignOuts::new(db, clock), None, || KeyRing::new([SECRET]));
    sessions.look().await?;
    let token = sessions.begin(grant()).await?.token;
    Ok((sessions, token))
}

async fn only_checks(count: usize) -> Result<()> {
    let (sessions, token) = ready().await?;
    for _ in 0..count {
        black_box(sessions.check(black_box(&token)).await?).map_err(|refused| format!("{refused:?}"))?;
    }
    Ok(())
}

/// Measures single checks, and returns a token.
async fn checks(report: &mut Report) -> Result<String> {
    let (sessions, token) = ready().await?;
    let mut times = Vec::new();
    for _ in 0..9 {
        let began = Instant::now();
        for _ in 0..20_000 {
            black_box(sessions.check(black_box(&token)).await?).map_err(|refused| format!("{refused:?}"))?;
        }
        times.push(began.elapsed().as_secs_f64() * 1e9 / 20_000.0);
    }
    report.add("memory", "checking a token", median(times), "ns")?;
    let passwords = Passwords::default();
    let mut times = Vec::new();
    for _ in 0..9 {
        let began = Instant::now();
        black_box(passwords.hash(PASSWORD).await?);
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    report.add("memory", "hashing a password", median(times), "ms")?;
    Ok(token)
}

/// Loads two servers in turn: `action-post`, and the same for who is signed in.
fn compare(token: &str, rounds: usize, requests: usize, report: &mut Report) -> Result<()> {
    let start = |request| Asked::start(None, &["persistence.enabled=false"], request);
    let mut guarded = runner::request("auth-post")?;
    guarded.headers.push(("authorization", format!("Bearer {token}")));
    let (plain, signed) = (start(runner::request("action-post")?)?, start(guarded)?);
    let (mut of_plain, mut of_signed, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let rate = |asked: &Asked| -> Result<f64> { Ok(crate::per_second(requests, asked.time(requests)?)) };
        let (without, with) = (rate(&plain)?, rate(&signed)?);
        // The first round warms up.
        if round > 0 {
            of_plain.push(without);
            of_signed.push(with);
            ratios.push(with / without);
        }
    }
    report.add("http", "requests to an action", median(of_plain), "/s")?;
    report.add("http", "requests to the same for who is signed in", median(of_signed), "/s")?;
    report.target("http", "signed ÷ open", (median(ratios), ""), Goal::AtLeast(0.9))
}

/// Asks for `/_health/live` while everybody signs in.
fn sign_ins(report: &mut Report) -> Result<()> {
    let server = Asked::start(None, &[], runner::request("simple-get")?)?;
    let sign_in = Request::post("/sign-in", &serde_json::json!({ "password": PASSWORD }));
    let (done, began) = (AtomicBool::new(false), Instant::now());
    let (took, times) = std::thread::scope(|scope| -> Result<(Duration, Vec<f64>)> {
        let probe = scope.spawn(|| probe(&server, &done));
        let one = || -> Result<()> { Ok(load::ask(&mut TcpStream::connect(server.address())?, &sign_in)?) };
        let signing: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
        let mut result = Ok(());
        for one in signing {
            result = result.and(one.join().map_err(|_| "a sign-in panicked")?);
        }
        let took = began.elapsed();
        done.store(true, Ordering::Relaxed);
        let times = probe.join().map_err(|_| "the probe panicked")??;
        result?;
        Ok((took, times))
    })?;
    report.add("http", &format!("{AT_ONCE} sign-ins at once, all of them"), took.as_secs_f64(), "s")?;
    report.add(
        "http",
        "answers of /_health/live meanwhile",
        crate::per_second(times.len(), Duration::from_secs(1)),
        "",
    )?;
    report.add("http", "/_health/live meanwhile, p50", quantile(times.clone(), 0.5), "ms")?;
    report.target("http", "/_health/live meanwhile, p99", (quantile(times, 0.99), "ms"), Goal::AtMost(50.0))
}

fn probe(server: &Asked, done: &AtomicBool) -> Result<Vec<f64>> {
    let live = runner::request("simple-get")?;
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let began = Instant::now();
        load::ask(&mut stream, &live)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(times)
}
