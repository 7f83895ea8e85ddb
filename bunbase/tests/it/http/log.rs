//! What is logged: one line a request, the cause of each 500 once, and how many requests a shutdown cut off.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, Once, PoisonError},
};

use bunbase::{
    prelude::*,
    testing::{ListeningApp, TestApp},
};
use tracing::{Event, Level, field::Visit};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt};

bunbase::module!(prefix = "/t/log");

/// How things go wrong here.
#[derive(ActionError, Debug)]
enum Failure {
    #[error(internal)]
    Io(#[from] std::io::Error),
    /// Not now.
    #[error(status = 409, code = "not_now", "not now")]
    NotNow,
}

/// Fails as it is told to.
#[action(get = "/fail/{how}")]
async fn fail_as_told(how: String) -> Result<String, Failure> {
    match how.as_str() {
        "io" => Err(std::io::Error::other("the disk is full").into()),
        "panic" => panic!("out of luck"),
        "not_now" => Err(Failure::NotNow),
        _ => Ok(how),
    }
}

/// Breaks off after the headers.
#[action(get = "/broken")]
async fn break_off() -> Result<ByteStream> {
    let items = [Ok(Bytes::from("begin")), Err(bunbase::Error::internal("the cable is cut"))];
    Ok(ByteStream::new(futures_util::stream::iter(items)))
}

/// Never ends.
#[action(get = "/endless")]
async fn endless() -> Result<ByteStream> {
    use futures_util::StreamExt;
    let begin = futures_util::stream::iter([Ok::<_, bunbase::Error>(Bytes::from("begin"))]);
    Ok(ByteStream::new(begin.chain(futures_util::stream::pending())))
}

/// One event of the log.
#[derive(Clone, Debug)]
struct Line {
    level: Level,
    fields: BTreeMap<&'static str, String>,
}

impl Line {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

/// Everything that this process logs, whichever test it belongs to: workers have threads of their own.
static LOG: Mutex<Vec<Line>> = Mutex::new(Vec::new());

struct Capture;

impl<S: tracing::Subscriber> Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let target = event.metadata().target();
        if ["bunbase::http", "bunbase::security", "bunbase::session"].contains(&target)
            || target.starts_with("bunbase::http::")
        {
            let mut line = Line { level: *event.metadata().level(), fields: BTreeMap::new() };
            event.record(&mut line);
            LOG.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }
}

/// Begins to keep the log.
fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Capture);
        tracing::subscriber::set_global_default(subscriber).expect("no other test sets a subscriber");
    });
}

fn lines(belongs: impl Fn(&Line) -> bool) -> Vec<Line> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|line| belongs(line)).cloned().collect()
}

/// Sends a request with a trace of its own and returns its status and what was logged for it.
async fn logged(app: &TestApp, method: &str, path: &str, number: u8) -> (u16, Vec<Line>) {
    let trace = format!("4bf92f3577b34da6a3ce929d0e0e{:02x}{number:02x}", 0xab);
    let answer =
        app.request(method, path).header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01")).send().await;
    assert_eq!(answer.header("x-trace-id"), Some(trace.as_str()));
    (answer.status(), lines(|line| line.field("trace_id") == trace))
}

async fn start() -> TestApp {
    capture();
    let app = App::new().configure(|config| {
        config.route(
            "/t/log/mounted",
            actix_web::web::get().to(async || {
                Err::<actix_web::HttpResponse, _>(actix_web::error::ErrorInternalServerError("the lid is stuck"))
            }),
        );
    });
    // One of the answers is aborted, which no document says.
    TestApp::start_unchecked(app).await
}

#[tokio::test]
async fn every_request_has_one_line_and_every_500_its_cause() {
    let app = start().await;
    for (number, (method, path, status, cause)) in (0..).zip([
        ("GET", "/t/log/fail/not", 200, None),
        ("HEAD", "/t/log/fail/not", 200, None),
        ("GET", "/t/log/fail/not_now", 409, None),
        ("GET", "/t/log/fail/io", 500, Some("the disk is full")),
        ("GET", "/t/log/fail/panic", 500, Some("the handler panicked: out of luck")),
        ("GET", "/t/log/mounted", 500, Some("the lid is stuck")),
        ("GET", "/t/log/broken", 200, Some("the cable is cut")),
        ("POST", "/t/log/fail/not", 405, None),
        ("OPTIONS", "/t/log/fail/not", 204, None),
        ("GET", "/t/log/nowhere", 404, None),
        ("GET", "/_health/live", 200, None),
    ]) {
        let (answered, log) = logged(&app, method, path, number).await;
        assert_eq!(answered, status, "{method} {path}");
        let requests: Vec<_> = log.iter().filter(|line| line.field("message") == "request").collect();
        assert_eq!(requests.len(), 1, "{method} {path}: {log:?}");
        let line = requests[0];
        assert_eq!((line.field("method"), line.field("path")), (method, path));
        assert_eq!(line.field("status"), status.to_string(), "{log:?}");
        assert_eq!(line.level, if status >= 500 { Level::ERROR } else { Level::INFO });
        assert!(line.field("duration_ms").parse::<f64>().is_ok(), "{log:?}");
        let causes: Vec<_> = log.iter().map(|line| line.field("cause")).filter(|cause| !cause.is_empty()).collect();
        assert_eq!(causes.len(), usize::from(cause.is_some()), "{method} {path}: {log:?}");
        assert!(causes.iter().zip(cause).all(|(logged, cause)| logged.contains(cause)), "{log:?}");
    }
}

/// Refuses everybody.
#[action]
async fn forbid() -> Result<()> {
    Err(bunbase::Error::forbidden("not for anybody"))
}

/// Refuses as it is told to.
#[action(post = "/refuse/{how}", guards = [rate_limit(2).per(DAY).by_key(|ctx| Ok(ctx.path_param::<String>("how")?))])]
async fn refuse_as_told(ctx: Ctx, how: String) -> Result<()> {
    match how.as_str() {
        "stranger" => Err(bunbase::Error::unauthorized("that password is wrong")),
        "user" => {
            ctx.identify(bunbase::context::Identity::user("7"));
            Err(bunbase::Error::forbidden("not for you"))
        }
        "called" => Ok(ctx.call(Forbid::new()).await?),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn every_refusal_is_one_event_that_says_who_and_what() {
    let app = start().await;
    let mut number = 0x20_u8;
    let mut refusal = async |path: &str, headers: &[(&str, &str)]| {
        number += 1;
        let trace = format!("4bf92f3577b34da6a3ce929d0e0eac{number:02x}");
        let request =
            app.post(path).peer([203, 0, 113, 9]).header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"));
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send().await;
        let refused = lines(|line| line.field("trace_id") == trace && line.field("message") == "refused");
        let fields = ["action", "path", "door", "status", "code", "client", "user"];
        let text = |line: &Line| fields.map(|name| line.field(name).to_owned()).join(" ");
        refused.iter().map(|line| (line.level, text(line))).collect::<Vec<_>>()
    };
    let one = |level, text: &str| vec![(level, text.to_owned())];
    let action = "log.refuse_as_told";
    for (path, level, expected) in [
        ("stranger", Level::INFO, "401 unauthorized 203.0.113.9 "),
        ("user", Level::WARN, "403 forbidden 203.0.113.9 user:7"),
        // What is called belongs to who calls.
        ("called", Level::WARN, "403 forbidden 203.0.113.9 "),
    ] {
        let found = refusal(&format!("/t/log/refuse/{path}"), &[]).await;
        assert_eq!(found, one(level, &format!("{action}  http {expected}")));
    }
    for (path, count) in [("many", 0), ("many", 0), ("many", 1), ("many", 1)] {
        let found = refusal(&format!("/t/log/refuse/{path}"), &[]).await;
        let expected = format!("{action}  http 429 rate_limited 203.0.113.9 ");
        assert_eq!(found, one(Level::INFO, &expected)[..count]);
    }
    // Those that reach no action, mounted services among them.
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    for path in ["/t/log/refuse/many", "/t/log/mounted", "/t/log/nowhere"] {
        let expected = format!(" {path} http 403 csrf_refused 203.0.113.9 ");
        assert_eq!(refusal(&format!("{path}?token=hunter2"), &foreign).await, one(Level::WARN, &expected));
    }
    let elsewhere = refusal("/t/log/nowhere", &[("host", "evil.example")]).await;
    assert_eq!(elsewhere, one(Level::WARN, " /t/log/nowhere http 421 host_refused 203.0.113.9 "));
    // What is wrong and not refused is none.
    assert_eq!(refusal("/t/log/nowhere", &[]).await, []);
}

/// Signs in, out, and out everywhere.
#[action(post = "/come-and-go", status = 204)]
async fn come_and_go(ctx: Ctx) -> Result<()> {
    ctx.session().sign_in(bunbase::session::Grant::user("ann-of-the-log")).await?;
    ctx.session().sign_out().await?;
    ctx.session().sign_out_everywhere("ann-of-the-log").await
}

#[tokio::test]
async fn a_sign_in_and_a_sign_out_are_events_that_say_who_and_from_where() {
    let app = start().await;
    let answer = app.post("/t/log/come-and-go").peer([203, 0, 113, 9]).send().await.assert_status(204);
    let found = lines(|line| line.field("user") == "ann-of-the-log");
    let said: Vec<_> = found.iter().map(|line| line.field("message")).collect();
    assert_eq!(said, ["signed in", "signed out", "signed out everywhere"]);
    let session = found[0].field("session");
    assert!(!session.is_empty() && found[1].field("session") == session, "{found:?}");
    for line in &found {
        assert_eq!((line.field("client"), Some(line.field("trace_id"))), ("203.0.113.9", answer.header("x-trace-id")));
    }
}

#[tokio::test]
async fn the_query_is_not_in_the_log() {
    let app = start().await;
    let (_, log) = logged(&app, "GET", "/t/log/fail/not?token=hunter2", 99).await;
    assert!(!format!("{log:?}").contains("hunter2") && log.len() == 1, "{log:?}");
}

#[tokio::test]
async fn a_shutdown_says_how_many_it_cut_off() {
    capture();
    let app = ListeningApp::start(App::new().config("http.shutdown_timeout", "50ms")).await;
    let mut streams = Vec::new();
    // A number that no other test has.
    for _ in 0..17 {
        let mut stream = reqwest::get(app.url("/t/log/endless")).await.unwrap();
        assert_eq!(super::soon("a chunk", stream.chunk()).await.unwrap().unwrap(), "begin");
        streams.push(stream);
    }
    super::soon("the shutdown", app.stop()).await.unwrap();
    let cut =
        lines(|line| line.field("message").starts_with("requests were cut off") && line.field("requests") == "17");
    assert_eq!(cut.len(), 1, "{cut:?}");
}
