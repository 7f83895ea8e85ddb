//! What does it take to issue a token and to check one, by criterion: `cargo bench -p bunbase-benches --bench session`.

use std::hint::black_box;

use bunbase::{
    clock::Clock,
    db::{Db, migrate::Plan},
    session::{Grant, KeyRing, Sessions, Settings, SignOuts},
};
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt;

/// Makes sessions over an empty database in memory, which lives as long as the runtime and which a check does not ask.
fn sessions(runtime: &tokio::runtime::Runtime) -> Sessions {
    runtime.block_on(async {
        let db = Db::open(&bunbase::db::Settings::new("sqlite::memory:")).await.expect("a database");
        Plan::new().up(&db).await.expect("its tables");
        let rows = SignOuts::new(db, Clock::system());
        let secret = "the secret of a benchmark, which is not secret";
        let sessions = Sessions::new(Settings::default(), Clock::system(), rows, None, move || KeyRing::new([secret]));
        sessions.look().await.expect("it looks");
        sessions
    })
}

fn session(criterion: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let sessions = sessions(&runtime);
    let _inside = runtime.enter();
    // As a server does: what is older than five seconds is not trusted.
    let _watch = sessions.watch();
    let grants = [
        ("a user", Grant::user(7)),
        ("a user with a role, two permissions and an organisation", {
            Grant::user(7).role("editor").permissions(["tasks:*", "projects:read"]).organisation("acme")
        }),
    ];
    for (what, grant) in grants {
        let token = runtime.block_on(sessions.begin(grant)).expect("a token").token;
        // Nothing is waited for.
        let check = |token: &str| sessions.check(token).now_or_never().expect("at once").expect("no failure").is_ok();
        assert!(check(&token));
        criterion.bench_function(&format!("check a token of {what}"), |bencher| {
            bencher.iter(|| check(black_box(&token)));
        });
        let forged = token.replace("bbs1.", "bbs1.A");
        criterion.bench_function(&format!("refuse a token that is not one, of {what}"), |bencher| {
            bencher.iter(|| check(black_box(&forged)));
        });
    }
}

criterion_group!(all, session);
criterion_main!(all);
