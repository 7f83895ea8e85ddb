//! Services of actix and static files beside the actions.

use actix_web::{HttpResponse, web};
use bunbase::{prelude::*, testing::TestApp};
use serde_json::Value;

bunbase::module!(prefix = "/t/mounts");

/// An action beside what is mounted.
#[action(get = "/action")]
async fn beside() -> Result<String> {
    Ok("here".into())
}

async fn start() -> (TestApp, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.css"), "a {}").unwrap();
    std::fs::write(folder.path().join("index.html"), "<p>").unwrap();
    std::fs::write(folder.path().join(".secret"), "x").unwrap();
    let app = App::new().files("/t/mounts/files", folder.path()).configure(|config| {
        let scope = web::scope("/t/mounts/scope")
            .route("/ok", web::get().to(async || HttpResponse::Ok().body("fine")))
            .route("/teapot", web::get().to(async || HttpResponse::ImATeapot().content_type("text/html").body("<p>")))
            .route(
                "/fail",
                web::get().to(async || Err::<HttpResponse, _>(actix_web::error::ErrorInternalServerError("secret"))),
            )
            .route("/json", web::post().to(async |body: web::Json<Value>| HttpResponse::Ok().json(body.0)));
        config.service(scope);
    });
    (TestApp::start(app).await, folder)
}

#[tokio::test]
async fn mounted_services_answer_with_a_trace_and_actions_stay() {
    let (app, _folder) = start().await;
    let answer = app.get("/t/mounts/scope/ok").send().await.assert_status(200);
    assert_eq!((answer.text(), answer.headers("x-trace-id").len()), ("fine", 1));
    let answer = app.get("/t/mounts/action").send().await.assert_status(200);
    assert_eq!(answer.headers("x-trace-id").len(), 1);
    app.get("/t/mounts/nothing").send().await.assert_status(404);
}

#[tokio::test]
async fn their_errors_are_problems_that_hide_their_cause() {
    let (app, _folder) = start().await;
    let bad = app.post("/t/mounts/scope/json").header("content-type", "application/json").body("{").send().await;
    let answers = [
        (app.get("/t/mounts/scope/fail").send().await, 500),
        (app.get("/t/mounts/scope/nowhere").send().await, 404),
        (app.get("/t/mounts/files/nowhere.css").send().await, 404),
        (bad, 400),
    ];
    for (answer, status) in answers {
        let answer = answer.assert_status(status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json::<Value>()["trace_id"].as_str(), answer.header("x-trace-id"));
        assert!(!answer.text().contains("secret"));
    }
    let own = app.get("/t/mounts/scope/teapot").send().await.assert_status(418);
    assert_eq!((own.header("content-type"), own.text()), (Some("text/html"), "<p>"));
}

#[tokio::test]
async fn files_are_served_with_validators_and_hidden_ones_are_not() {
    let (app, _folder) = start().await;
    let answer = app.get("/t/mounts/files/a.css").send().await.assert_status(200);
    assert_eq!((answer.text(), answer.header("content-type")), ("a {}", Some("text/css; charset=utf-8")));
    let etag = answer.header("etag").unwrap();
    app.get("/t/mounts/files/a.css").header("if-none-match", etag).send().await.assert_status(304);
    for index in ["/t/mounts/files/", "/t/mounts/files"] {
        assert_eq!(app.get(index).send().await.assert_status(200).text(), "<p>", "{index}");
    }
    for path in [".secret", "../Cargo.toml", "%2e%2e/Cargo.toml", "..%2fCargo.toml"] {
        let status = app.get(&format!("/t/mounts/files/{path}")).send().await.status();
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
}

#[tokio::test]
async fn files_are_only_read() {
    let (app, _folder) = start().await;
    for path in ["/t/mounts/files/a.css", "/t/mounts/files/"] {
        let options = app.request("OPTIONS", path).send().await.assert_status(204);
        assert_eq!(options.header("allow"), Some("GET, HEAD, OPTIONS"), "{path}");
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = app.request(method, path).send().await.assert_status(405);
            assert_eq!(
                (answer.header("allow"), answer.code().as_str()),
                (Some("GET, HEAD, OPTIONS"), "method_not_allowed")
            );
        }
        app.request("HEAD", path).send().await.assert_status(200);
    }
}
