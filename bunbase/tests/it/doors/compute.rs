//! Runs that compute hold up nobody.

use std::{sync::Arc, time::Duration};

use bunbase::{prelude::*, testing::ListeningApp};

use super::soon;

bunbase::module!(prefix = "/t/compute");

/// Lets a test hold a computation without a core being busy: it blocks its thread all the same.
#[derive(Clone)]
struct Gate(Arc<std::sync::Barrier>);

/// Blocks its thread until the test lets it go.
#[action(post = "/block")]
fn block(ctx: Ctx) -> Result<u32> {
    let gate = ctx.state::<Gate>()?;
    gate.0.wait();
    Ok(1)
}

/// The same, marked.
#[action(post = "/marked", cpu)]
async fn marked(ctx: Ctx) -> Result<u32> {
    ctx.state::<Gate>()?.0.wait();
    tokio::time::sleep(Duration::ZERO).await;
    Ok(2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_answered_while_all_cores_compute() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let gate = Gate(Arc::new(std::sync::Barrier::new(cores + 1)));
    let app = ListeningApp::start(App::new().state(gate.clone()).config("http.workers", 1)).await;
    // Twice as many as may run at a time, over one thread of the server.
    let runs: Vec<_> = (0..cores)
        .map(|index| {
            let url = app.url(if index % 2 == 0 { "/t/compute/block" } else { "/t/compute/marked" });
            tokio::spawn(async move { reqwest::Client::new().post(url).send().await.unwrap().text().await.unwrap() })
        })
        .collect();
    for _ in 0..20 {
        let health = reqwest::get(app.url("/_health/live"));
        assert_eq!(soon("health", health).await.unwrap().status(), 200);
    }
    assert!(runs.iter().all(|run| !run.is_finished()));
    tokio::task::spawn_blocking(move || gate.0.wait()).await.unwrap();
    for run in runs {
        let text = soon("the run", run).await.unwrap();
        assert!(["1", "2"].contains(&text.as_str()), "{text}");
    }
    soon("the shutdown", app.stop()).await.unwrap();
}
