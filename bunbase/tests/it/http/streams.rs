//! Answers that come over time: events, bytes, and a failure on the way.

use std::sync::Arc;

use bunbase::{
    Error,
    prelude::*,
    testing::{ListeningApp, TestApp},
};
use futures_util::StreamExt;
use tokio::sync::{Mutex, mpsc};

use super::soon;

bunbase::module!(prefix = "/t/streams");

type Item = Result<String, &'static str>;
type Sender = mpsc::UnboundedSender<Item>;
type Receiver = mpsc::UnboundedReceiver<Item>;

/// What the test sends down the stream.
#[derive(Clone)]
struct Source(Arc<Mutex<Option<Receiver>>>);

impl Source {
    fn new() -> (Sender, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Arc::new(Mutex::new(Some(receiver)))))
    }

    async fn stream(ctx: &Ctx) -> Result<impl futures_util::Stream<Item = Result<String>> + Send + 'static> {
        let receiver = ctx.state::<Self>()?.0.lock().await.take().ok_or_else(|| Error::conflict("once only"))?;
        Ok(futures_util::stream::unfold(receiver, |mut receiver| async {
            let item = receiver.recv().await?;
            Some((item.map_err(Error::internal), receiver))
        }))
    }
}

/// A tick.
#[schema]
struct Tick {
    word: String,
}

/// Ticks as they come.
#[action(get = "/ticks")]
async fn ticks(ctx: Ctx) -> Result<Sse<Tick>> {
    let named = |word: String| SseEvent { event: Some("tick".into()), id: Some(word.clone()), data: Tick { word } };
    Ok(Sse::new(Source::stream(&ctx).await?.map(move |item| item.map(named))))
}

/// Bytes as they come.
#[action(get = "/bytes", content_type = "text/plain", timeout = "500ms")]
async fn bytes_as_they_come(ctx: Ctx) -> Result<ByteStream> {
    Ok(ByteStream::new(Source::stream(&ctx).await?.map(|item| item.map(Bytes::from))))
}

/// Never answers.
#[action(get = "/never", timeout = "600ms")]
async fn never() -> Result<()> {
    std::future::pending().await
}

#[tokio::test]
async fn events_arrive_as_they_are_sent() {
    let (sender, source) = Source::new();
    let app = ListeningApp::start(App::new().state(source)).await;
    let mut answer = soon("the headers", reqwest::get(app.url("/t/streams/ticks"))).await.unwrap();
    assert_eq!(
        (&answer.headers()["content-type"], &answer.headers()["cache-control"]),
        (&"text/event-stream".parse().unwrap(), &"no-store".parse().unwrap())
    );
    for word in ["one", "two\nlines"] {
        sender.send(Ok(word.to_owned())).unwrap();
        let chunk = soon("an event", answer.chunk()).await.unwrap().unwrap();
        let data = serde_json::json!({ "word": word });
        assert_eq!(chunk, format!("event: tick\nid: {}\ndata: {data}\n\n", word.replace('\n', " ")));
    }
    drop(sender);
    assert!(soon("the end", answer.chunk()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_error_on_the_way_aborts_the_connection() {
    for path in ["/t/streams/ticks", "/t/streams/bytes"] {
        let (sender, source) = Source::new();
        let app = ListeningApp::start(App::new().state(source)).await;
        let mut answer = soon("the headers", reqwest::get(app.url(path))).await.unwrap();
        sender.send(Ok("begun".to_owned())).unwrap();
        assert!(soon("a chunk", answer.chunk()).await.unwrap().is_some());
        sender.send(Err("secret")).unwrap();
        assert!(soon("the failure", answer.chunk()).await.is_err(), "{path}");
    }
}

#[tokio::test]
async fn the_timeout_ends_with_the_first_byte() {
    let (sender, source) = Source::new();
    let app = ListeningApp::start(App::new().state(source)).await;
    let mut answer = soon("the headers", reqwest::get(app.url("/t/streams/bytes"))).await.unwrap();
    // A run that is stopped by a longer limit, begun later: the limit of the stream is over then.
    let stopped = soon("the other timeout", reqwest::get(app.url("/t/streams/never"))).await.unwrap();
    assert_eq!(stopped.status(), 504);
    sender.send(Ok("late".to_owned())).unwrap();
    assert_eq!(soon("a chunk", answer.chunk()).await.unwrap().unwrap(), "late");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_stream() {
    let (sender, source) = Source::new();
    let app = ListeningApp::start(App::new().state(source)).await;
    let mut answer = soon("the headers", reqwest::get(app.url("/t/streams/bytes"))).await.unwrap();
    sender.send(Ok("begun".to_owned())).unwrap();
    soon("a chunk", answer.chunk()).await.unwrap();
    drop(answer);
    soon("the end of the stream", sender.closed()).await;
}

#[tokio::test]
async fn streams_are_in_the_document() {
    let (_sender, source) = Source::new();
    let app = TestApp::start(App::new().state(source)).await;
    let content = &app.document()["paths"]["/t/streams/ticks"]["get"]["responses"]["200"]["content"];
    assert_eq!(
        content["text/event-stream"]["schema"]["x-event-schema"]["$ref"], "#/components/schemas/Tick",
        "{content}"
    );
}
