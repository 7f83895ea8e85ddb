//! What the internet sends: bytes that are no request, or one that does not end. Each is refused or ends with its connection, and the
//! next client is served.

use std::sync::Arc;

use bunbase::{prelude::*, testing::ListeningApp};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Mutex, oneshot},
};

use super::{soon, wire::exchange};

bunbase::module!(prefix = "/t/hostile");

/// Takes anything.
#[action(post = "/take")]
async fn take(value: Value) -> Result<bool> {
    Ok(value.is_null())
}

/// Takes a file.
#[action(post = "/file")]
async fn take_file(#[file] file: Option<Upload>) -> Result<bool> {
    Ok(file.is_some())
}

/// What is held by the next endless answer, and dropped with it.
#[derive(Clone)]
struct Endless(Arc<Mutex<Option<oneshot::Sender<()>>>>);

/// Answers for as long as somebody takes it.
#[action(get = "/endless", content_type = "text/plain")]
async fn answer_endlessly(ctx: Ctx) -> Result<ByteStream> {
    let held = ctx.state::<Endless>()?.0.lock().await.take();
    Ok(ByteStream::new(futures_util::stream::repeat_with(move || {
        let _ = &held;
        Ok::<_, bunbase::Error>(Bytes::from(vec![b'.'; 65_536]))
    })))
}

/// Looks something up.
#[action(get = "/things/{name}")]
async fn look_up(name: String, q: Option<String>) -> Result<u64> {
    Ok((name.len() + q.map_or(0, |q| q.len())) as u64)
}

async fn start() -> ListeningApp {
    let app = App::new().config("log.level", "off");
    ListeningApp::start(app.config("http.client_request_timeout", "1s").config("http.body_timeout", "200ms")).await
}

async fn serves_the_next(app: &ListeningApp) {
    let live = exchange(app, b"GET /_health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(live.starts_with("HTTP/1.1 200"), "{live}");
}

/// Returns the status of the first answer; `None` where the connection ends without one.
async fn status(app: &ListeningApp, request: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    // The server may have answered and closed before all of it is sent.
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    let mut bytes = Vec::new();
    let _ = soon("the end of the connection", stream.read_to_end(&mut bytes)).await;
    let text = String::from_utf8_lossy(&bytes);
    text.strip_prefix("HTTP/1.1 ").map(|rest| rest[..3].parse().unwrap())
}

async fn assert_refused(app: &ListeningApp, request: &[u8]) {
    let shown = String::from_utf8_lossy(&request[..request.len().min(100)]).into_owned();
    let status = status(app, request).await;
    assert!(status.is_none_or(|status| (400..500).contains(&status)), "{status:?} to {shown:?}");
    serves_the_next(app).await;
}

#[tokio::test]
async fn a_body_of_two_lengths_is_refused() {
    let app = start().await;
    let post = |headers: &str, body: &str| {
        format!(
            "POST /t/hostile/take HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{headers}\r\n{body}"
        )
    };
    for (headers, body) in [
        ("content-length: 5\r\ncontent-length: 6\r\n", "{\"value\":1}"),
        ("content-length: 5, 6\r\n", "{\"value\":1}"),
        ("content-length: 11\r\ntransfer-encoding: chunked\r\n", "{\"value\":1}"),
        ("transfer-encoding: chunked\r\ncontent-length: 11\r\n", "b\r\n{\"value\":1}\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n", "{\"value\":1}"),
        ("transfer-encoding: chunked, identity\r\n", "{\"value\":1}"),
        ("transfer-encoding: xchunked\r\n", "{\"value\":1}"),
        ("content-length: +11\r\n", "{\"value\":1}"),
        ("content-length: 0x0b\r\n", "{\"value\":1}"),
        ("content-length: 99999999999999999999\r\n", "{\"value\":1}"),
        ("transfer-encoding: chunked\r\n", "ffffffffffffffffff\r\n{\"value\":1}"),
        ("content-length : 11\r\n", "{\"value\":1}"),
    ] {
        assert_refused(&app, post(headers, body).as_bytes()).await;
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let app = start().await;
    let start_line = "GET /_health/live HTTP/1.1\r\nhost: localhost\r\n";
    let long = "a".repeat(200_000);
    assert_refused(&app, format!("{start_line}x-a: {long}\r\n\r\n").as_bytes()).await;
    assert_refused(&app, format!("{start_line}{long}: a\r\n\r\n").as_bytes()).await;
    assert_refused(&app, format!("{start_line}{}\r\n", "a: b\r\n".repeat(100_000)).as_bytes()).await;
    assert_refused(&app, format!("{start_line}{}\r\n", "a: b\r\n".repeat(97)).as_bytes()).await;
    assert_refused(&app, format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await;
    assert_refused(&app, long.as_bytes()).await;
    let target =
        |length: usize| format!("GET /t/hostile/things/{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(length));
    assert_eq!(status(&app, target(16_000).as_bytes()).await, Some(200));
    let refused = exchange(&app, target(17_000).replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).await;
    assert!(refused.starts_with("HTTP/1.1 414") && refused.contains("uri_too_long"), "{refused}");
}

#[tokio::test]
async fn who_sends_slowly_is_not_waited_for() {
    let app = start().await;
    let begun = [
        "GET / HTTP/1.1\r\nhost: local",
        "POST /t/hostile/take HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"val",
        "POST /t/hostile/take HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"va",
        "POST /t/hostile/file HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 100\r\n\r\n--b\r\nConte",
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"json",
    ];
    for request in begun {
        // Nothing more is sent, and the connection is left open.
        let text = exchange(&app, request.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 408"), "{request:?}: {text:?}");
    }
    serves_the_next(&app).await;
}

#[tokio::test]
async fn who_sends_slowly_behind_another_request_is_not_waited_for_either() {
    let app = start().await;
    let first = "GET /t/hostile/things/a HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let begun = "POST /t/hostile/take HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";
    for body in ["", "{\"val"] {
        // In one packet: the second is called while the first is being answered.
        let text = exchange(&app, [first, begun, body].concat().as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 200") && text.contains("HTTP/1.1 408"), "{body:?}: {text:?}");
    }
    serves_the_next(&app).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_takes_nothing_is_not_sent_to_for_ever() {
    let (held, dropped) = oneshot::channel();
    let endless = Endless(Arc::new(Mutex::new(Some(held))));
    let app = App::new().config("log.level", "off").config("http.send_timeout", "1s").state(endless);
    let app = ListeningApp::start(app).await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(b"GET /t/hostile/endless HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    // The connection is open, and nothing more is read of it.
    soon("the end of the answer", dropped).await.unwrap_err();
    serves_the_next(&app).await;
    drop(stream);
}

#[tokio::test]
async fn a_refused_body_that_does_not_end_ends_with_its_connection() {
    let app = start().await;
    for request in [
        "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"va",
        "POST /t/hostile/take HTTP/1.1\r\nhost: evil.example\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"va",
        "POST /t/hostile/take HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"va",
        "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{\"va",
    ] {
        let text = exchange(&app, request.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 4"), "{request:?}: {text:?}");
    }
    serves_the_next(&app).await;
}

#[tokio::test]
async fn one_byte_now_and_then_is_not_enough() {
    let app = start().await;
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    let head = "POST /t/hostile/take HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut answer = [0; 12];
    let drip = async {
        let mut every = tokio::time::interval(std::time::Duration::from_millis(20));
        loop {
            every.tick().await;
            if writing.write_all(b" ").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let answered = async {
        tokio::select! {
            read = reading.read_exact(&mut answer) => read.map(drop).unwrap(),
            () = drip => {}
        }
    };
    soon("an answer to a body that drips", answered).await;
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn garbage_after_a_request_ends_the_connection_and_nothing_more() {
    let app = start().await;
    let good = "GET /t/hostile/things/a HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for garbage in [
        "\0\0\0\0\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n",
        "{\"a\":1}\r\n\r\n",
    ] {
        let text = exchange(&app, format!("{good}{garbage}{good}").as_bytes()).await;
        assert_eq!(text.matches("HTTP/1.1 200").count(), 1, "{garbage:?}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 2, "{garbage:?}: {text}");
    }
    serves_the_next(&app).await;
}

#[tokio::test]
async fn odd_methods_and_targets_are_answered() {
    let app = start().await;
    for (line, expected) in [
        ("GET http://localhost/t/hostile/things/a HTTP/1.1", 200),
        ("GET https://localhost:1/t/hostile/things/a HTTP/1.1", 200),
        ("BREW /t/hostile/things/a HTTP/1.1", 405),
        ("get /t/hostile/things/a HTTP/1.1", 405),
        ("TRACE /t/hostile/things/a HTTP/1.1", 405),
        ("PRI * HTTP/2.0", 400),
        ("OPTIONS * HTTP/1.1", 404),
        ("GET * HTTP/1.1", 404),
        ("GET //evil.example/ HTTP/1.1", 404),
        ("GET /../../etc/passwd HTTP/1.1", 404),
        ("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", 404),
    ] {
        let found = status(&app, format!("{line}\r\nhost: localhost\r\n\r\n").as_bytes()).await;
        assert_eq!(found, Some(expected), "{line}");
    }
    for line in [
        "CONNECT evil.example:443 HTTP/1.1",
        "GET t/hostile HTTP/1.1",
        " / HTTP/1.1",
        "GET  HTTP/1.1",
        "GET / HTTP/0.9",
        "GET /",
    ] {
        assert_refused(&app, format!("{line}\r\nhost: localhost\r\n\r\n").as_bytes()).await;
    }
}

#[tokio::test]
async fn no_byte_in_any_place_is_answered_with_more_than_a_refusal() {
    let app = start().await;
    let request = |place: usize, bytes: &[u8]| {
        let parts = [
            "GE",
            "T /t/hostile/things/a",
            "?q=b",
            " HTTP/1.",
            "1\r\nho",
            "st: local",
            "host\r\nx-tra",
            "ce: b\r\ncookie: a",
            "=b\r\n\r\n",
        ];
        let mut all = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            all.extend_from_slice(part.as_bytes());
            if index == place {
                all.extend_from_slice(bytes);
            }
        }
        all
    };
    for bytes in
        [&b"\0"[..], b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\r", b"\n", b"\x7f", b"\x0b", b"%00", b"%ff", b"%zz"]
    {
        for place in 0..8 {
            let found = status(&app, &request(place, bytes)).await;
            // A header that nobody looks at may have any text (RFC 9110 section 5.5), and a text any character that is escaped.
            let is_well = found.is_none_or(|status| status == 200 || (400..500).contains(&status));
            assert!(is_well, "{bytes:?} at {place}: {found:?}");
        }
    }
    for place in 0..8 {
        let found = status(&app, &request(place, b"\0")).await;
        assert!(found.is_none_or(|status| (400..500).contains(&status)), "NUL at {place}: {found:?}");
    }
    serves_the_next(&app).await;
}

#[tokio::test]
async fn a_body_is_refused_by_its_bytes_its_depth_and_its_names() {
    let app = start().await;
    let post = |path: &str, kind: &str, body: &[u8]| {
        let head = format!(
            "POST /t/hostile/{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let json = |body: &[u8]| post("take", "application/json", body);
    let deep = |open: &str, close: &str, depth: usize| {
        format!("{{\"value\":{}1{}}}", open.repeat(depth), close.repeat(depth)).into_bytes()
    };
    assert_eq!(status(&app, &json(&deep("[", "]", 100))).await, Some(200));
    for body in [
        &deep("[", "]", 100_000)[..],
        &deep("{\"a\":", "}", 100_000),
        &deep("[", "]", 130),
        b"{\"value\":\"\xff\"}",
        b"{\"value\":\0}",
        b"\xff\xfe{\0\"\0",
        b"\xef\xbb\xbf{}",
    ] {
        assert_eq!(
            status(&app, &json(body)).await,
            Some(400),
            "{:?}",
            String::from_utf8_lossy(&body[..20.min(body.len())])
        );
    }
    let form = |name: &[u8], more: &str| {
        let parts: [&[u8]; 4] = [b"--b\r\nContent-Disposition: form-data; name=\"", name, b"\"\r\n", more.as_bytes()];
        let body = [&parts.concat()[..], b"\r\nx\r\n--b--\r\n"].concat();
        post("file", "multipart/form-data; boundary=b", &body)
    };
    for (name, more) in [
        (&b"a".repeat(257)[..], "\r\n".to_owned()),
        (&b"a".repeat(100_000), "\r\n".to_owned()),
        (b"file", format!("{}\r\n", "x: y\r\n".repeat(1000))),
        (b"file", format!("x: {}\r\n\r\n", "y".repeat(100_000))),
        (b"\0", "\r\n".to_owned()),
        (b"\xff\xfe", "\r\n".to_owned()),
    ] {
        let form = form(name, &more);
        let found = status(&app, &form).await;
        // The answer to one that sends on may be lost with its connection.
        let is_lost = found.is_none() && form.len() > 10_000;
        assert!(
            is_lost || matches!(found, Some(400 | 413 | 422)),
            "{} {found:?}",
            String::from_utf8_lossy(&form[..200])
        );
    }
    serves_the_next(&app).await;
}
