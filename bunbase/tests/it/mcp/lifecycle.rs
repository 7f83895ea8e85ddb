//! Clients that leave during a call.

use std::sync::Arc;

use bunbase::{prelude::*, testing::ListeningApp};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Notify, watch},
};

use super::{NEWEST, message};
use crate::http::soon;

bunbase::module!(name = "mcp_lifecycle");

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
    async fn reached(&self, stage: Stage) {
        let mut seen = self.stage.subscribe();
        soon(&format!("{stage:?}"), seen.wait_for(|now| *now == stage)).await.unwrap();
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
#[action(tool)]
async fn wait(ctx: Ctx) -> Result<()> {
    let stages = ctx.state::<Stages>()?.clone();
    stages.stage.send_replace(Stage::Running);
    let mut end = End(stages.clone(), Stage::Dropped);
    stages.go.notified().await;
    end.1 = Stage::Done;
    Ok(())
}

/// Starts a call and keeps the connection.
async fn begin(revision: &str) -> (ListeningApp, Stages, TcpStream) {
    let stages = Stages { stage: Arc::new(watch::Sender::new(Stage::New)), go: Arc::default() };
    let app = ListeningApp::start(App::new().state(stages.clone())).await;
    let params = json!({ "name": "mcp_lifecycle_wait", "arguments": {} });
    let body = if revision == NEWEST {
        message("tools/call", params)
    } else {
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
    };
    let body = body.to_string();
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n\
         mcp-protocol-version: {revision}\r\nmcp-method: tools/call\r\nmcp-name: mcp_lifecycle_wait\r\ncontent-length: {}\r\n\r\n",
        app.address(),
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    stages.reached(Stage::Running).await;
    (app, stages, stream)
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_call() {
    let (_app, stages, client) = begin(NEWEST).await;
    drop(client);
    stages.reached(Stage::Dropped).await;
}

#[tokio::test]
async fn in_older_revisions_it_cancels_nothing_and_the_shutdown_waits_for_the_call() {
    let (app, stages, client) = begin("2025-11-25").await;
    drop(client);
    let stop = tokio::spawn(app.stop());
    // The shutdown has begun and does not end while the call runs.
    tokio::task::yield_now().await;
    assert!(!stop.is_finished());
    assert_eq!(*stages.stage.borrow(), Stage::Running);
    stages.go.notify_one();
    stages.reached(Stage::Done).await;
    soon("the shutdown", stop).await.unwrap().unwrap();
}
