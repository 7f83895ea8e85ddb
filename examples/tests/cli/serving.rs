//! A server from its first line to its last.

use std::{
    io::Write,
    net::{TcpListener, TcpStream},
};

use crate::process::{Place, Server, command, is_postgres, run};
use reqwest::{Client, Response};
use serde_json::{Value, json};

fn serve(place: &Place) -> Server {
    Server::start(&mut command(place, &["serve", "--port", "0"]))
}

async fn get(server: &Server, path: &str) -> Response {
    reqwest::get(format!("{}{path}", server.url)).await.expect("an answer")
}

/// A run that waits for the test in the middle of its transaction, and the end of its line.
async fn held(server: &Server) -> (tokio::task::JoinHandle<reqwest::Result<Response>>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let body = json!({ "text": "weed", "until": listener.local_addr().expect("an address").to_string() });
    let request = Client::new().post(format!("{}/notes", server.url)).json(&body);
    let answer = tokio::spawn(request.send());
    let accepted = tokio::task::spawn_blocking(move || listener.accept()).await.expect("it accepts");
    (answer, accepted.expect("the run calls").0)
}

#[bunbase::test]
async fn serving_is_the_default_and_keeps_its_data_below_the_working_directory() {
    let place = Place::new();
    let server = Server::start(command(&place, &[]).env("PORT", "0"));
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
    assert!(server.says("docs").ends_with("/docs"));
    assert!(server.says("environment").contains("development"));
    assert_eq!(get(&server, "/_health/ready").await.status(), 200);
    assert_eq!(place.path().join("data/app.db").is_file(), !is_postgres());
}

#[bunbase::test]
async fn the_command_line_has_the_last_word_about_the_port() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let server = Server::start(command(&place, &["dev", "--port", "0"]).env("PORT", &port));
    assert!(!server.url.ends_with(&format!(":{port}")));
    assert!(server.says("environment").contains("the command asks for it"));
}

#[bunbase::test]
async fn the_health_endpoint_and_the_document_have_the_version_of_the_package() {
    let place = Place::new();
    let server = serve(&place);
    for path in ["/_health", "/openapi.json"] {
        let body: Value = get(&server, path).await.json().await.expect("JSON");
        let version = if path == "/_health" { &body["version"] } else { &body["info"]["version"] };
        assert_eq!(version, env!("CARGO_PKG_VERSION"), "{path}");
    }
}

#[bunbase::test]
async fn the_printed_document_is_the_served_one() {
    let place = Place::new();
    let printed: Value = serde_json::from_str(&run(&mut command(&place, &["openapi"])).out).expect("JSON");
    let server = serve(&place);
    let served: Value = get(&server, "/openapi.json").await.json().await.expect("JSON");
    assert_eq!(printed, served);
}

#[bunbase::test(worker_threads = 2)]
async fn sigterm_lets_a_running_request_end() {
    let place = Place::new();
    let server = serve(&place);
    let (answer, mut line) = held(&server).await;
    server.signal("TERM");
    server.logs("stopping");
    line.write_all(&[1]).expect("the run listens");
    let answer = answer.await.expect("it is sent").expect("an answer");
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.text().await.expect("a body"), "1");
    let status = server.ended();
    assert!(status.success(), "{status}");
    assert_eq!(run(&mut command(&place, &["call", "count_notes"])).out, "1\n", "the write has lasted");
}

#[bunbase::test(worker_threads = 2)]
async fn sigkill_in_the_middle_of_a_write_leaves_nothing_of_it_and_a_database_that_works() {
    let place = Place::new();
    let server = serve(&place);
    let note = Client::new().post(format!("{}/notes", server.url)).json(&json!({ "text": "mow" }));
    assert_eq!(note.send().await.expect("an answer").status(), 201);
    let (answer, _line) = held(&server).await;
    server.signal("KILL");
    assert!(answer.await.expect("it is sent").is_err());
    assert!(!server.ended().success());
    let server = serve(&place);
    assert_eq!(get(&server, "/notes").await.text().await.expect("a body"), "1");
    let note = Client::new().post(format!("{}/notes", server.url)).json(&json!({ "text": "dig" }));
    assert_eq!(note.send().await.expect("an answer").text().await.expect("a body"), "2");
}
