//! HTTP/2, over connections that the server encrypts itself: the same answers, and the same limits.

use bunbase::{prelude::*, testing::ListeningApp};
use h2::client::SendRequest;
use serde_json::Value;

use super::{soon, tls};
use crate::certificates::make;

bunbase::module!(prefix = "/t/http2");

/// Counts the letters of a text.
#[action(post = "/letters")]
async fn letters(text: String) -> Result<u64> {
    Ok(text.chars().count() as u64)
}

type Client = SendRequest<Bytes>;

/// Starts an application, and a client on one connection to it.
async fn start(configure: impl FnOnce(App) -> App) -> (ListeningApp, Client) {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path());
    let app = ListeningApp::start(configure(tls::app(folder.path()))).await;
    let stream = tls::connect(&app, &folder.path().join("ca.crt"), &["h2"]).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    // It ends with the connection.
    tokio::spawn(async move { drop(connection.await) });
    (app, client)
}

fn request(method: &str, uri: &str) -> http_0_2::request::Builder {
    http_0_2::Request::builder().method(method).uri(format!("https://localhost{uri}"))
}

fn letters_of(text: &str) -> (http_0_2::request::Builder, Option<Bytes>) {
    let body = Bytes::from(format!("{{\"text\": \"{text}\"}}"));
    (request("POST", "/t/http2/letters").header("content-type", "application/json"), Some(body))
}

/// Sends a request, and returns the status and the body of the answer. `ends` says whether what is sent is all of the body.
async fn send(client: &Client, request: http_0_2::request::Builder, body: Option<Bytes>, ends: bool) -> (u16, String) {
    let mut client = client.clone().ready().await.unwrap();
    let (answer, mut stream) = client.send_request(request.body(()).unwrap(), body.is_none()).unwrap();
    if let Some(body) = body {
        stream.send_data(body, ends).unwrap();
    }
    let mut answer = soon("an answer", answer).await.unwrap();
    assert_eq!(answer.version(), http_0_2::Version::HTTP_2);
    let mut text = Vec::new();
    while let Some(chunk) = soon("the body", answer.body_mut().data()).await {
        match chunk {
            Ok(chunk) => text.extend(chunk),
            // The rest of the request is not waited for (RFC 9113 section 8.1).
            Err(error) if error.reason() == Some(h2::Reason::NO_ERROR) => break,
            Err(error) => panic!("the answer broke off: {error}"),
        }
    }
    (answer.status().as_u16(), String::from_utf8(text).unwrap())
}

/// As [`send`], with the code of the problem that is answered.
async fn refused(
    client: &Client,
    request: http_0_2::request::Builder,
    body: Option<Bytes>,
    ends: bool,
) -> (u16, String) {
    let (status, text) = send(client, request, body, ends).await;
    let problem: Value = serde_json::from_str(&text).unwrap();
    (status, problem["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_side_by_side() {
    let (app, client) = start(|app| app).await;
    assert_eq!(send(&client, request("GET", "/t/origins/reached"), None, true).await.1, "\"https localhost\"");
    let texts: Vec<String> = (0..50).map(|length| "a".repeat(length + 1)).collect();
    let answers = texts.iter().map(|text| {
        let (request, body) = letters_of(text);
        send(&client, request, body, true)
    });
    let answers = futures_util::future::join_all(answers).await;
    let expected: Vec<_> = (0..50).map(|length| (200, (length + 1).to_string())).collect();
    assert_eq!(answers, expected);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_refused_over_http_1_is_refused_over_http_2() {
    let limits = |app: App| {
        let app = app.config("http.max_body_size", "1KB").config("http.max_uri_size", "100B");
        app.config("http.body_timeout", "100ms").config("http.allowed_hosts", vec!["localhost"])
    };
    let (app, client) = start(limits).await;
    let code = |status: u16, code: &str| (status, code.to_owned());
    let (post, body) = letters_of(&"a".repeat(2000));
    assert_eq!(refused(&client, post, body, true).await, code(413, "body_too_large"));
    // It comes, and does not end.
    let (post, body) = letters_of("a");
    assert_eq!(refused(&client, post, body, false).await, code(408, "body_timeout"));
    let long = request("GET", &format!("/{}", "a".repeat(100)));
    assert_eq!(refused(&client, long, None, true).await, code(414, "uri_too_long"));
    let (post, body) = letters_of("a");
    let foreign = post.header("sec-fetch-site", "cross-site").header("origin", "https://evil.example");
    assert_eq!(refused(&client, foreign, body, true).await, code(403, "csrf_refused"));
    let elsewhere = http_0_2::Request::builder().uri("https://evil.example/t/origins/reached");
    assert_eq!(refused(&client, elsewhere, None, true).await, code(421, "host_refused"));
    // The connection serves whoever keeps to the rules.
    let (post, body) = letters_of("abc");
    assert_eq!(send(&client, post, body, true).await, (200, "3".to_owned()));
    app.stop().await.unwrap();
}
