//! What helps to find out why something is slow, while it runs.

use reqwest::Client;
use serde_json::{Value, json};

use crate::process::{Place, Server, command};

const TOKEN: &str = "a token of at least 32 bytes, for all of it";

fn serve(place: &Place) -> Server {
    let mut command = command(place, &["serve", "--port", "0"]);
    Server::start(command.env("BUNBASE__DEBUG__ACCESS", "token").env("BUNBASE__ADMIN__TOKEN", TOKEN))
}

async fn level(server: &Server) -> Value {
    let url = format!("{}/_debug/log", server.url);
    Client::new().get(url).bearer_auth(TOKEN).send().await.expect("an answer").json().await.expect("JSON")
}

async fn set(server: &Server, level: &'static str) -> (u16, Value) {
    let request = Client::new().post(format!("{}/_debug/log/level", server.url)).bearer_auth(TOKEN).body(level);
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[bunbase::test]
async fn the_level_of_the_log_is_changed_at_the_endpoint() {
    let place = Place::new();
    let server = serve(&place);
    assert_eq!(level(&server).await, json!({ "level": "info", "configured": "info" }));
    assert_eq!(set(&server, "debug").await, (200, json!({ "level": "debug", "configured": "info" })));
    server.logs("the level of the log was changed");
    let (status, problem) = set(&server, "loud").await;
    assert_eq!((status, &problem["code"]), (422, &"log_level".into()), "{problem}");
    assert_eq!(level(&server).await["level"], "debug", "what is wrong changes nothing");
    assert_eq!(set(&server, "").await, (200, json!({ "level": "info", "configured": "info" })));
    let refused = Client::new().post(format!("{}/_debug/log/level", server.url)).body("trace").send().await;
    assert_eq!(refused.expect("an answer").status(), 401);
    assert_eq!(level(&server).await["level"], "info");
}

#[cfg(unix)]
#[bunbase::test]
async fn a_signal_turns_debug_on_and_off_again() {
    let place = Place::new();
    let server = serve(&place);
    server.signal("USR1");
    assert!(server.logs("the level of the log was changed").contains("debug"));
    assert_eq!(level(&server).await["level"], "debug");
    server.signal("USR1");
    server.logs("the level of the log was changed");
    assert_eq!(level(&server).await["level"], "info");
}
