//! Answers from memory and on the fly: compression, validators, the document and its page.

use std::io::Read;

use bunbase::{
    prelude::*,
    testing::{ListeningApp, TestApp},
};
use serde_json::Value;

bunbase::module!(prefix = "/t/documents");

/// Text of a size.
#[action(get = "/text/{size}")]
async fn text(size: u32) -> Result<String> {
    Ok("words ".repeat(usize::try_from(size).unwrap()))
}

/// Bytes that do not become smaller.
#[action(get = "/noise", content_type = "image/png")]
async fn noise() -> Result<Bytes> {
    Ok(vec![0; 10_000].into())
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn unbrotli(bytes: &[u8]) -> String {
    let mut text = String::new();
    brotli::Decompressor::new(bytes, 4096).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn a_large_answer_is_compressed_as_the_caller_asks() {
    let app = TestApp::start(App::new()).await;
    for size in [1000, 100_000] {
        let path = format!("/t/documents/text/{size}");
        let plain = app.get(&path).send().await.assert_status(200);
        assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("Accept-Encoding")));
        let gzip = app.get(&path).header("accept-encoding", "gzip, deflate").send().await.assert_status(200);
        assert_eq!((gzip.header("content-encoding"), gzip.header("vary")), (Some("gzip"), Some("Accept-Encoding")));
        assert_eq!(gunzip(gzip.bytes()), plain.text());
        let brotli = app.get(&path).header("accept-encoding", "gzip;q=0.5, br").send().await.assert_status(200);
        assert_eq!((brotli.header("content-encoding"), unbrotli(brotli.bytes()).as_str()), (Some("br"), plain.text()));
        assert!(brotli.bytes().len() < plain.bytes().len() / 10);
        for none in ["identity", "gzip;q=0, br;q=0", "zstd", "*;q=0"] {
            let answer = app.get(&path).header("accept-encoding", none).send().await.assert_status(200);
            assert_eq!(answer.header("content-encoding"), None, "{none}");
        }
    }
}

#[tokio::test]
async fn small_answers_and_images_are_sent_as_they_are() {
    let app = TestApp::start(App::new()).await;
    for path in ["/t/documents/text/1", "/t/documents/noise"] {
        let answer = app.get(path).header("accept-encoding", "gzip, br").send().await.assert_status(200);
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None), "{path}");
    }
}

#[tokio::test]
async fn compression_can_be_turned_off() {
    let app = TestApp::start(App::new().config("http.compression", false)).await;
    let answer = app.get("/t/documents/text/1000").header("accept-encoding", "br").send().await.assert_status(200);
    assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None));
}

#[tokio::test]
async fn the_document_is_served_in_all_forms_with_validators() {
    let app = TestApp::start(App::new()).await;
    let plain = app.get("/openapi.json").send().await.assert_status(200);
    assert_eq!(&plain.json::<Value>(), app.document());
    assert_eq!(
        (plain.header("content-type"), plain.header("vary")),
        (Some("application/json"), Some("Accept-Encoding"))
    );
    let mut etags = vec![plain.header("etag").unwrap().to_owned()];
    for (accept, decode) in [("gzip", gunzip as fn(&[u8]) -> String), ("br", unbrotli)] {
        let answer = app.get("/openapi.json").header("accept-encoding", accept).send().await.assert_status(200);
        assert_eq!((answer.header("content-encoding"), decode(answer.bytes()).as_str()), (Some(accept), plain.text()));
        etags.push(answer.header("etag").unwrap().to_owned());
    }
    for etag in &etags {
        assert_eq!(etags.iter().filter(|other| *other == etag).count(), 1, "each form has its own: {etags:?}");
    }
    for known in [etags[0].clone(), format!("W/{}", etags[0]), format!("\"x\", {}", etags[0]), "*".to_owned()] {
        let answer = app.get("/openapi.json").header("if-none-match", &known).send().await.assert_status(304);
        assert!(answer.bytes().is_empty());
        assert_eq!((answer.header("etag"), answer.header("vary")), (Some(etags[0].as_str()), Some("Accept-Encoding")));
    }
    app.get("/openapi.json").header("if-none-match", "\"x\"").send().await.assert_status(200);
}

#[tokio::test]
async fn the_reference_page_brings_all_that_it_needs() {
    let app = TestApp::start(App::new()).await;
    let page = app.get("/docs").send().await.assert_status(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") || policy.contains("default-src 'self'"), "{policy}");
    assert!(!page.text().contains("https://") && !page.text().contains("http://"), "nothing from elsewhere");
    let sources = page.text().split("src=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
    let styles = page
        .text()
        .split("<link")
        .skip(1)
        .filter_map(|rest| rest.split("href=\"").nth(1)?.split('"').next().map(str::to_owned));
    let parts: Vec<_> = sources.chain(styles).filter(|part| part.starts_with('/')).collect();
    assert!(!parts.is_empty(), "{}", page.text());
    for part in parts {
        let answer = app.get(&part).send().await.assert_status(200);
        assert!(!answer.bytes().is_empty() && answer.header("etag").is_some(), "{part}");
    }
}

#[tokio::test]
async fn documents_can_be_moved_or_left_out() {
    let app = TestApp::start(App::new().config("openapi.path", "/api.json").config("docs.path", "/reference")).await;
    app.get("/api.json").send().await.assert_status(200);
    assert!(app.get("/reference").send().await.assert_status(200).text().contains("/api.json"));
    app.get("/openapi.json").send().await.assert_status(404);
    assert_eq!(app.get("/reference/").send().await.assert_status(308).header("location"), Some("/reference"));
    let app = TestApp::start(App::new().config("openapi.access", "off")).await;
    app.get("/openapi.json").send().await.assert_status(404);
    app.get("/docs").send().await.assert_status(404);
}

#[tokio::test]
async fn the_page_is_found_with_a_slash_too() {
    let app = TestApp::start(App::new()).await;
    let answer = app.get("/docs/").send().await.assert_status(308);
    assert_eq!(answer.header("location"), Some("/docs"));
}

#[tokio::test]
async fn an_answer_over_a_connection_can_be_held_against_the_document() {
    let app = ListeningApp::start(App::new()).await;
    let answer = reqwest::get(app.url("/t/documents/text/1")).await.unwrap();
    let status = answer.status().as_u16();
    let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let headers: Vec<_> = answer.headers().iter().map(header).collect();
    let body = answer.bytes().await.unwrap();
    assert_eq!(serde_json::from_slice::<String>(&body).unwrap(), app.call(Text::new(1)).await.unwrap());
    app.hold("GET", "/t/documents/text/1", status, &headers, &body);
    let wrong = std::panic::AssertUnwindSafe(|| app.hold("GET", "/t/documents/text/1", status, &headers, b"7"));
    assert!(std::panic::catch_unwind(wrong).is_err(), "a number is not what the document says");
}
