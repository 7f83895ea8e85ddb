//! Values, rate limits and sessions over each store, by criterion: `cargo bench -p bunbase-benches --bench stores`. One caller, who waits for each answer: it is the
//! way there and back that is measured, and not how much a store does at once.
//!
//! The servers are those at `BUNBASE_TEST_POSTGRES_URL` and `BUNBASE_TEST_REDIS_URL`; what does not answer is left out, and said to be.

use std::{sync::Arc, time::Duration};

use bunbase::{
    clock::Clock,
    db::{Db, migrate::Plan},
    kv::{self, Kv, KvStore},
    limit::{self, Algorithm, LimitStore, Limits, Rule},
    redis,
    session::{Grant, KeyRing, Revocation, Sessions, Settings, SignOuts, States},
};
use criterion::{Criterion, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

/// A value of the size of a cart.
#[derive(Serialize, Deserialize)]
struct Cart {
    owner: String,
    things: Vec<String>,
    total_cents: i64,
}

/// The stores of one kind, and the database that sign-outs are in.
struct Place {
    name: &'static str,
    kv: Arc<dyn KvStore>,
    limits: Arc<dyn LimitStore>,
    db: Db,
    states: bool,
}

/// Opens a database with the framework's tables.
async fn database(url: &str) -> bunbase::Result<Db> {
    let db = Db::open(&bunbase::db::Settings::new(url)).await?;
    Plan::new().up(&db).await?;
    Ok(db)
}

fn variable(name: &str, usual: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| usual.to_owned())
}

async fn places(folder: &std::path::Path) -> Vec<Place> {
    let clock = Clock::system();
    let sqlite = database(&format!("sqlite://{}", folder.join("bench.db").display())).await.expect("a file");
    let mut places = vec![
        Place {
            name: "memory",
            kv: Arc::new(kv::Memory::new(clock.clone(), 64 << 20)),
            limits: Arc::new(limit::Memory::new(clock.clone(), 100_000)),
            db: sqlite.clone(),
            states: false,
        },
        Place {
            name: "SQLite",
            kv: Arc::new(kv::Sqlite::new(sqlite.clone(), clock.clone())),
            limits: Arc::new(limit::Sqlite::new(sqlite.clone(), clock.clone())),
            db: sqlite.clone(),
            states: false,
        },
    ];
    let server = variable("BUNBASE_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres");
    match own_database(&server).await {
        Ok(db) => places.push(Place {
            name: "Postgres",
            kv: Arc::new(kv::Postgres::new(db.clone(), clock.clone())),
            limits: Arc::new(limit::Postgres::new(db.clone(), clock.clone())),
            db,
            states: false,
        }),
        Err(error) => eprintln!("PostgreSQL is left out: {error}"),
    }
    let prefix = format!("bunbase-stores-{}:", std::process::id());
    let url = variable("BUNBASE_TEST_REDIS_URL", "redis://127.0.0.1:6379");
    let pool = redis::Redis::open(&redis::Settings::new(url, prefix)).expect("an address");
    match pool.ping().await {
        Ok(()) => places.push(Place {
            name: "Redis",
            kv: Arc::new(kv::Redis::new(pool.clone())),
            limits: Arc::new(limit::Redis::new(pool, clock.clone())),
            db: sqlite,
            states: true,
        }),
        Err(error) => eprintln!("Redis is left out: {error}"),
    }
    places
}

/// The name of the database that is made, and removed again at the end.
fn own_name() -> String {
    format!("bunbase_stores_{}", std::process::id())
}

async fn own_database(server: &str) -> bunbase::Result<Db> {
    let name = own_name();
    let main = Db::open(&bunbase::db::Settings::new(server)).await?;
    main.sql(&format!("CREATE DATABASE {name}")).execute().await?;
    let url = server.rsplit_once('/').map_or_else(|| server.to_owned(), |(server, _)| format!("{server}/{name}"));
    database(&url).await
}

async fn remove_own_database(server: &str) -> bunbase::Result<()> {
    let main = Db::open(&bunbase::db::Settings::new(server)).await?;
    main.sql(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", own_name())).execute().await?;
    Ok(())
}

fn values(criterion: &mut Criterion, runtime: &Runtime, place: &Place) {
    let kv = Kv::new(place.kv.clone(), kv::Settings::default());
    let cart = Cart { owner: "ann".to_owned(), things: vec!["a thing".to_owned(); 5], total_cents: 12_345 };
    let ttl = Duration::from_hours(1);
    runtime.block_on(kv.set("cart", &cart, ttl)).expect("it is kept");
    criterion.bench_function(&format!("kv get, {}", place.name), |bencher| {
        bencher
            .to_async(runtime)
            .iter(async || kv.get::<Cart>("cart").await.expect("an answer").expect("the value").total_cents);
    });
    criterion.bench_function(&format!("kv set, {}", place.name), |bencher| {
        bencher.to_async(runtime).iter(async || kv.set("cart", &cart, ttl).await.expect("it is kept"));
    });
    runtime.block_on(kv.delete("cart")).expect("it is gone");
}

fn rate_limits(criterion: &mut Criterion, runtime: &Runtime, place: &Place) {
    let limits = Limits::new(place.limits.clone(), Clock::system());
    for (what, algorithm) in [("window", Algorithm::Window), ("bucket", Algorithm::Bucket { capacity: 1_000_000 })] {
        let rule = Rule::new(1_000_000_000, Duration::from_mins(1), algorithm).expect("a rule");
        criterion.bench_function(&format!("rate limit by {what}, {}", place.name), |bencher| {
            bencher.to_async(runtime).iter(async || limits.take(what, rule).await.expect("it is counted"));
        });
    }
}

fn session_checks(criterion: &mut Criterion, runtime: &Runtime, place: &Place) {
    let revocation = if place.name == "memory" { Revocation::Eventual } else { Revocation::Immediate };
    let states = place.states.then(|| States::new(&Kv::new(place.kv.clone(), kv::Settings::default())));
    let rows = SignOuts::new(place.db.clone(), Clock::system());
    let secret = "the secret of a benchmark, which is not secret";
    let settings = Settings { revocation, ..Settings::default() };
    let sessions = Sessions::new(settings, Clock::system(), rows, states, move || KeyRing::new([secret]));
    runtime.block_on(sessions.look()).expect("it looks");
    let _inside = runtime.enter();
    let _watch = sessions.watch();
    let token = runtime.block_on(sessions.begin(Grant::user(7))).expect("a token").token;
    let how = if place.name == "memory" { "eventual, memory" } else { "immediate" };
    criterion.bench_function(&format!("session check, {how}, {}", place.name), |bencher| {
        bencher.to_async(runtime).iter(async || {
            assert!(sessions.check(&token).await.expect("an answer").is_ok());
        });
    });
}

fn stores(criterion: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let places = runtime.block_on(places(folder.path()));
    for place in &places {
        values(criterion, &runtime, place);
        rate_limits(criterion, &runtime, place);
        session_checks(criterion, &runtime, place);
    }
    drop(places);
    let server = variable("BUNBASE_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres");
    // Where there is no server, there is nothing to remove.
    let _ = runtime.block_on(remove_own_database(&server));
}

criterion_group! {
    name = all;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = stores
}
criterion_main!(all);
