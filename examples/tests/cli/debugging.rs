//! What helps to find out why something is slow, while it runs.

use reqwest::Client;
use serde_json::{Value, json};

#[cfg(feature = "profiling")]
use crate::process::run;
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

#[cfg(feature = "profiling")]
#[bunbase::test]
async fn what_holds_memory_is_shown_where_the_process_was_started_so_that_it_is_known() {
    let heap = async |server: &Server, format: &str| {
        let url = format!("{}/_debug/heap?format={format}", server.url);
        let answer = Client::new().get(url).bearer_auth(TOKEN).send().await.expect("an answer");
        (answer.status().as_u16(), answer.bytes().await.expect("a body"))
    };
    let place = Place::new();
    let mut command = command(&place, &["serve", "--port", "0"]);
    command.env("BUNBASE__DEBUG__ACCESS", "token").env("BUNBASE__ADMIN__TOKEN", TOKEN);
    let unwatched = Server::start(&mut command);
    assert_eq!(heap(&unwatched, "pprof").await.0, 409);
    drop(unwatched);
    let watched = Server::start(command.env("_RJEM_MALLOC_CONF", "prof:true,prof_active:true,lg_prof_sample:12"));
    let (status, profile) = heap(&watched, "pprof").await;
    assert_eq!((status, &profile[..2]), (200, &[0x1f, 0x8b][..]), "pprof reads it compressed");
    let (status, graph) = heap(&watched, "svg").await;
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&graph).contains("<svg"));
}

#[cfg(feature = "profiling")]
#[bunbase::test]
async fn a_profile_of_the_whole_life_is_in_the_file_that_was_asked_for() {
    let place = Place::new();
    let file = place.path().join("cpu.svg");
    let server = Server::start(&mut command(&place, &["serve", "--port", "0", "--cpu-profile", "cpu.svg"]));
    server.signal("TERM");
    assert!(server.ended().success());
    assert!(std::fs::read_to_string(file).expect("a file").contains("<svg"));
    let nowhere = run(&mut command(&place, &["serve", "--port", "0", "--cpu-profile", "no/such/folder/cpu.svg"]));
    assert!(!nowhere.ok && nowhere.err.contains("cannot be written"), "{}", nowhere.err);
}
