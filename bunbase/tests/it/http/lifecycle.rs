//! Clients that leave, and a server that stops.

use std::{sync::Arc, time::Duration};

use bunbase::{prelude::*, testing::ListeningApp};
use futures_util::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, watch},
};

use super::soon;

bunbase::module!(prefix = "/t/lifecycle");

/// How far the one run of a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Running,
    Dropped,
    Done,
}

/// The run, seen and moved by the test.
#[derive(Clone)]
struct Stages {
    stage: Arc<watch::Sender<Stage>>,
    go: Arc<Notify>,
}

impl Stages {
    fn new() -> Self {
        Self { stage: Arc::new(watch::Sender::new(Stage::New)), go: Arc::default() }
    }

    async fn reached(&self, stage: Stage) {
        let mut seen = self.stage.subscribe();
        soon(&format!("{stage:?}"), seen.wait_for(|now| *now == stage)).await.unwrap();
    }

    async fn run(ctx: &Ctx) -> Result<()> {
        let stages = ctx.state::<Self>()?.clone();
        stages.stage.send_replace(Stage::Running);
        let mut end = End(stages.clone(), Stage::Dropped);
        stages.go.notified().await;
        end.1 = Stage::Done;
        Ok(())
    }
}

/// Tells how the run ended.
struct End(Stages, Stage);

impl Drop for End {
    fn drop(&mut self) {
        self.0.stage.send_replace(self.1);
    }
}

/// Waits.
#[action(get = "/wait")]
async fn wait_by_get(ctx: Ctx) -> Result<()> {
    Stages::run(&ctx).await
}

/// Waits.
#[action(post = "/wait")]
async fn wait_by_post(ctx: Ctx) -> Result<()> {
    Stages::run(&ctx).await
}

/// Sends something, waits, and sends the rest.
#[action(get = "/stream")]
async fn stream(ctx: Ctx) -> Result<ByteStream> {
    let stages = ctx.state::<Stages>()?.clone();
    let end = End(stages.clone(), Stage::Dropped);
    let rest = futures_util::stream::once(async move {
        let mut end = end;
        stages.stage.send_replace(Stage::Running);
        stages.go.notified().await;
        end.1 = Stage::Done;
        Ok::<_, bunbase::Error>(Bytes::from("rest"))
    });
    Ok(ByteStream::new(futures_util::stream::iter([Ok(Bytes::from("begin"))]).chain(rest)))
}

/// The same, as a service of actix.
fn mount(config: &mut actix_web::web::ServiceConfig, stages: &Stages) {
    let stages = stages.clone();
    let wait = move || {
        let stages = stages.clone();
        async move {
            let mut end = End(stages.clone(), Stage::Dropped);
            stages.stage.send_replace(Stage::Running);
            stages.go.notified().await;
            end.1 = Stage::Done;
            actix_web::HttpResponse::Ok().body("mounted")
        }
    };
    config.route("/t/lifecycle/mounted", actix_web::web::get().to(wait));
}

async fn start(cancel: Option<&str>) -> (ListeningApp, Stages) {
    let stages = Stages::new();
    let app = App::new().state(stages.clone());
    let app = match cancel {
        Some(cancel) => app.config("http.cancel_on_disconnect", cancel),
        None => app,
    };
    (ListeningApp::start(app).await, stages)
}

/// Sends a request and keeps the connection.
async fn begin(app: &ListeningApp, method: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Reads the head of an answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        match soon("an answer", stream.read_u8()).await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_client_that_leaves_cancels_a_get() {
    let (app, stages) = start(None).await;
    let client = begin(&app, "GET", "/t/lifecycle/wait").await;
    stages.reached(Stage::Running).await;
    drop(client);
    stages.reached(Stage::Dropped).await;
}

#[tokio::test]
async fn a_post_runs_to_its_end_and_the_shutdown_waits_for_it() {
    let (app, stages) = start(None).await;
    let client = begin(&app, "POST", "/t/lifecycle/wait").await;
    stages.reached(Stage::Running).await;
    drop(client);
    let stop = tokio::spawn(app.stop());
    // The shutdown has begun and does not end while the run waits.
    tokio::task::yield_now().await;
    assert!(!stop.is_finished());
    assert_eq!(*stages.stage.borrow(), Stage::Running);
    stages.go.notify_one();
    stages.reached(Stage::Done).await;
    soon("the shutdown", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn all_methods_can_be_cancelled_or_none() {
    let (app, stages) = start(Some("always")).await;
    let client = begin(&app, "POST", "/t/lifecycle/wait").await;
    stages.reached(Stage::Running).await;
    drop(client);
    stages.reached(Stage::Dropped).await;

    let (app, stages) = start(Some("never")).await;
    let client = begin(&app, "GET", "/t/lifecycle/wait").await;
    stages.reached(Stage::Running).await;
    drop(client);
    let stop = tokio::spawn(app.stop());
    stages.go.notify_one();
    stages.reached(Stage::Done).await;
    soon("the shutdown", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_answers_what_runs_says_that_it_is_not_ready_and_takes_nothing_new() {
    let (app, stages) = start(None).await;
    let address = app.address();
    let mut kept = begin(&app, "GET", "/_health/ready").await;
    assert!(head(&mut kept).await.starts_with("HTTP/1.1 200"));
    let mut body = [0; 15];
    soon("the body", kept.read_exact(&mut body)).await.unwrap();
    let mut running = begin(&app, "POST", "/t/lifecycle/wait").await;
    stages.reached(Stage::Running).await;
    let stop = tokio::spawn(app.stop());
    let ready = loop {
        // A connection that is open is still served, and is told as soon as the shutdown has begun.
        kept.write_all(b"GET /_health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let answer = head(&mut kept).await;
        let length = answer
            .to_lowercase()
            .split("content-length: ")
            .nth(1)
            .unwrap()
            .split('\r')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let mut body = vec![0; length];
        soon("the body", kept.read_exact(&mut body)).await.unwrap();
        if !answer.starts_with("HTTP/1.1 200") {
            break answer;
        }
    };
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("retry-after"), "{ready}");
    stages.go.notify_one();
    assert!(head(&mut running).await.starts_with("HTTP/1.1 204"), "the request that was running is answered");
    soon("the shutdown", stop).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_shutdown_gives_up_after_its_limit() {
    let stages = Stages::new();
    let app = ListeningApp::start(App::new().state(stages.clone()).config("http.shutdown_timeout", "50ms")).await;
    let _client = begin(&app, "POST", "/t/lifecycle/wait").await;
    stages.reached(Stage::Running).await;
    soon("the shutdown", app.stop()).await.unwrap();
    stages.reached(Stage::Dropped).await;
}

/// Longer than actix itself waits for connections unless told otherwise.
const PATIENCE: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn a_shutdown_waits_for_streams() {
    let (app, stages) = start(None).await;
    let mut client = begin(&app, "GET", "/t/lifecycle/stream").await;
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
    stages.reached(Stage::Running).await;
    let mut stop = tokio::spawn(app.stop());
    assert!(tokio::time::timeout(PATIENCE, &mut stop).await.is_err(), "the shutdown did not wait");
    stages.go.notify_one();
    let mut body = String::new();
    soon("the rest", client.read_to_string(&mut body)).await.unwrap();
    assert_eq!(body, "5\r\nbegin\r\n4\r\nrest\r\n0\r\n\r\n");
    soon("the shutdown", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_waits_for_mounted_services() {
    let stages = Stages::new();
    let mounted = stages.clone();
    let app = ListeningApp::start(App::new().configure(move |config| mount(config, &mounted))).await;
    let mut client = begin(&app, "GET", "/t/lifecycle/mounted").await;
    stages.reached(Stage::Running).await;
    let mut stop = tokio::spawn(app.stop());
    assert!(tokio::time::timeout(PATIENCE, &mut stop).await.is_err(), "the shutdown did not wait");
    stages.go.notify_one();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200"));
    soon("the shutdown", stop).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off() {
    for path in ["/t/lifecycle/stream", "/t/lifecycle/mounted"] {
        let stages = Stages::new();
        let mounted = stages.clone();
        let app = App::new().state(stages.clone()).configure(move |config| mount(config, &mounted));
        let app = ListeningApp::start(app.config("http.shutdown_timeout", "50ms")).await;
        let _client = begin(&app, "GET", path).await;
        stages.reached(Stage::Running).await;
        soon("the shutdown", app.stop()).await.unwrap();
        stages.reached(Stage::Dropped).await;
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_shutdown_up() {
    let (app, _stages) = start(None).await;
    let mut kept = begin(&app, "GET", "/_health/live").await;
    assert!(head(&mut kept).await.starts_with("HTTP/1.1 200"));
    let stopped = tokio::time::timeout(PATIENCE, app.stop()).await;
    stopped.expect("an idle connection is closed").unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_before_its_body_is_complete_runs_nothing() {
    let (app, stages) = start(None).await;
    let mut client = TcpStream::connect(app.address()).await.unwrap();
    client
        .write_all(b"POST /t/lifecycle/wait HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab")
        .await
        .unwrap();
    stages.reached(Stage::Running).await;
    drop(client);
    // An action that takes no body does not wait for one: it runs to its end.
    stages.go.notify_one();
    stages.reached(Stage::Done).await;
}
