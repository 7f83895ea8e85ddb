//! What can only be seen on the wire: chunked bodies beyond their limit, framing, and connections that go on.

use bunbase::{prelude::*, testing::ListeningApp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::soon;

bunbase::module!(prefix = "/t/wire");

/// Takes a small body.
#[action(post = "/small", body_limit = "1KB")]
async fn small(text: String) -> Result<u64> {
    Ok(text.len() as u64)
}

/// Takes a small form.
#[action(post = "/form", body_limit = "4KB")]
async fn small_form(#[file] file: Option<Upload>) -> Result<u64> {
    Ok(file.map_or(0, |file| file.size_bytes()))
}

async fn connect(app: &ListeningApp, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Sends bytes and reads until the server closes.
pub(super) async fn exchange(app: &ListeningApp, bytes: &[u8]) -> String {
    let mut stream = connect(app, "").await;
    // The server may have answered and closed before all of it is sent.
    let _ = stream.write_all(bytes).await;
    answer(&mut stream, "\0").await
}

/// Reads until the answer holds `end`, or the server closes.
async fn answer(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    let read = async {
        let mut chunk = [0; 1024];
        while !String::from_utf8_lossy(&text).contains(end) {
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(count) => text.extend_from_slice(&chunk[..count]),
            }
        }
    };
    soon("an answer", read).await;
    String::from_utf8(text).unwrap()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn a_declared_length_beyond_the_limit_is_refused_before_the_body_comes() {
    let app = ListeningApp::start(App::new()).await;
    let head = "POST /t/wire/small HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1001\r\n\r\n";
    let mut stream = connect(&app, head).await;
    let text = answer(&mut stream, "}").await;
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("body_too_large"), "{text}");
}

#[tokio::test]
async fn a_chunked_body_is_cut_off_at_the_limit() {
    let app = ListeningApp::start(App::new()).await;
    let head = "POST /t/wire/small HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = connect(&app, head).await;
    for _ in 0..3 {
        // The body does not end; the answer comes all the same.
        stream.write_all(&chunk(&[b' '; 400])).await.unwrap();
    }
    let text = answer(&mut stream, "}").await;
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("body_too_large"), "{text}");
}

#[tokio::test]
async fn a_chunked_body_within_the_limit_is_read() {
    let app = ListeningApp::start(App::new()).await;
    let head = "POST /t/wire/small HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = connect(&app, head).await;
    for part in ["{\"te", "xt\":", "\"abc\"}"] {
        stream.write_all(&chunk(part.as_bytes())).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let text = answer(&mut stream, "\r\n\r\n3").await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}

#[tokio::test]
async fn a_chunked_form_of_endless_small_parts_is_cut_off() {
    let app = ListeningApp::start(App::new().config("multipart.max_fields", 1_000_000)).await;
    let head = "POST /t/wire/form HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = connect(&app, head).await;
    let part = b"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n";
    for _ in 0..200 {
        // The server may have answered and closed already.
        if stream.write_all(&chunk(part)).await.is_err() {
            break;
        }
    }
    let text = answer(&mut stream, "}").await;
    assert!(text.starts_with("HTTP/1.1 413") && text.contains("body_too_large"), "{text}");
}

#[tokio::test]
async fn a_body_that_is_framed_wrongly_is_400() {
    let app = ListeningApp::start(App::new()).await;
    let head = "POST /t/wire/small HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n";
    let mut stream = connect(&app, head).await;
    let text = answer(&mut stream, "}").await;
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal() {
    let app = ListeningApp::start(App::new()).await;
    let body = "{\"text\": 5}";
    let head = |body: &str| {
        format!(
            "POST /t/wire/small HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut stream = connect(&app, &head(body)).await;
    assert!(answer(&mut stream, "]}").await.starts_with("HTTP/1.1 422"));
    stream.write_all(head("{\"text\": \"ab\"}").as_bytes()).await.unwrap();
    assert!(answer(&mut stream, "\r\n\r\n2").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn requests_may_come_in_one_piece() {
    let app = ListeningApp::start(App::new()).await;
    let one = "GET /_health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = "GET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut stream = connect(&app, &format!("{one}{one}{last}")).await;
    let text = answer(&mut stream, "\0").await;
    assert_eq!((text.matches("HTTP/1.1 200").count(), text.matches("HTTP/1.1 404").count()), (2, 1), "{text}");
}

/// What is no HTTP request is answered by actix itself, before there is a request that anything of ours could see: a status, no
/// body, no trace id, and the connection ends. See `http/mod.rs`.
#[tokio::test]
async fn what_is_no_request_is_refused_and_the_next_client_is_served() {
    let app = ListeningApp::start(App::new()).await;
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(70_000));
    let many =
        format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", format!("x-a: {}\r\n", "a".repeat(1000)).repeat(200));
    for (request, status) in [
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/9.9\r\nhost: localhost\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nhost: localhost\r\nx-a: \0\r\n\r\n", "400 Bad Request"),
        ("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n", "400 Bad Request"),
        (
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "400 Bad Request",
        ),
        (&long, "400 Bad Request"),
        (&many, "431 Request Header Fields Too Large"),
    ] {
        let mut stream = connect(&app, "").await;
        // The server may have answered and closed before all of it is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let text = answer(&mut stream, "\0").await;
        let line = &request[..request.len().min(80)];
        // A connection that is closed with much unread may take the answer with it.
        if text.is_empty() && request.len() > 10_000 {
            continue;
        }
        assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{line:?}: {text:?}");
        assert!(text.contains("content-length: 0\r\n") && !text.contains("x-trace-id"), "{line:?}: {text:?}");
    }
    let mut next = connect(&app, "GET /_health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer(&mut next, "}").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_head_that_does_not_end_is_408() {
    let app = ListeningApp::start(App::new()).await;
    let mut slow = connect(&app, "GET / HTTP/1.1\r\nhost:").await;
    let text = answer(&mut slow, "\0").await;
    assert!(text.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{text:?}");
    let mut next = connect(&app, "GET /_health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer(&mut next, "}").await.starts_with("HTTP/1.1 200"));
}
