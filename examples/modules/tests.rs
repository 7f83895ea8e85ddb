//! What another crate registers is served, and what is missing is told.

use bunbase::{registry::Registry, testing::TestApp};
use serde_json::{Value, json};

#[bunbase::test]
async fn the_actions_of_a_listed_crate_are_served() {
    let app = TestApp::start(crate::app()).await;
    let hello = app.get("/greetings/Ada?language=dutch").send().await.assert_status(200);
    assert_eq!(hello.json::<String>(), "Hallo, Ada!");
    assert_eq!(hello.header("content-language"), Some("nl"));
    assert_eq!(app.get("/greetings/Voldemort").send().await.assert_status(403).code(), "unwelcome");
    app.get("/greetings/Ada?language=elvish").send().await.assert_status(422);
}

#[bunbase::test]
async fn a_module_inside_the_listed_one_adds_its_prefix_its_name_and_its_guard() {
    let app = TestApp::start(crate::app()).await;
    let visitors = json!({ "name": "Ada", "with": [{ "name": "Charles" }, { "name": "Mary" }] });
    let count = app.post("/greetings/visitors").json(&visitors).send().await.assert_status(201);
    assert_eq!(count.json::<u64>(), 3);
    let night = app.post("/greetings/visitors").header("X-Hour", "23").json(&visitors).send().await.assert_status(403);
    assert_eq!(night.code(), "closed");
    let nameless = json!({ "name": "Ada", "with": [{ "name": "" }] });
    let refused = app.post("/greetings/visitors").json(&nameless).send().await.assert_status(422);
    assert_eq!(refused.json::<Value>()["errors"][0]["pointer"], "/with/0/name");
    let registry = Registry::collect(&[]).expect("no mistakes");
    let names: Vec<_> = registry.actions().iter().map(|action| action.name).collect();
    assert_eq!(names, ["greetings.greet", "greetings.visitors.let_in"]);
}

#[test]
fn a_listed_module_without_actions_is_a_mistake_that_names_it() {
    let mistakes = Registry::collect(bunbase::modules![greetings, greetings::words]).expect_err("a mistake");
    assert_eq!(mistakes.0.len(), 1);
    assert!(mistakes.0[0].contains("`greetings::words` is listed and registered no action"), "{mistakes}");
}
