//! What is refused before any data is touched.

use bunbase::{Error, prelude::*, testing::TestApp};
use serde_json::{Value, json};

use super::{AddNote, Everything, Nightly, Plain, Shared, ShowEverything, each};

#[tokio::test]
async fn a_run_without_a_tenant_is_refused_before_it_touches_data() {
    for house in each().await {
        let app = &house.app;
        let post = |tenant: Option<&str>| {
            let request = app.post("/t/tenants/notes").json(&json!({ "text": "x" }));
            match tenant {
                Some(tenant) => request.header("x-tenant", tenant),
                None => request,
            }
        };
        assert_eq!(post(None).send().await.assert_status(400).code(), "tenant_missing", "{}", house.name);
        assert_eq!(post(Some("nobody")).send().await.assert_status(404).code(), "tenant_unknown");
        assert_eq!(post(Some("A; DROP TABLE note")).send().await.assert_status(404).code(), "tenant_unknown");
        let error = Error::from(app.call(AddNote::new("x".to_owned())).await.unwrap_err());
        assert_eq!(error.code(), "tenant_missing");
        post(Some("a")).send().await.assert_status(204);
        // A guard that comes too early gets nothing, too.
        let hasty = app.post("/t/tenants/hasty").send().await.assert_status(500);
        assert_eq!(hasty.code(), "internal");
        let left: Value = app.get("/t/tenants/everything").header("x-tenant", "a").send().await.json();
        assert_eq!(left["notes"], json!(["x"]), "{}", house.name);
    }
}

#[tokio::test]
async fn an_action_across_all_tenants_begins_work_for_each_where_its_data_is() {
    for house in each().await {
        assert_eq!(house.app.call(Nightly::new()).await.unwrap(), 2, "{}", house.name);
        house.app.drain().await;
        for name in ["a", "b"] {
            let shown: Everything = house.app.call(ShowEverything::new()).for_tenant(name).await.unwrap();
            assert_eq!(shown.worked, [format!("{name}-nightly")], "{}", house.name);
        }
        assert!(house.app.tenants().remove(&"b".parse().unwrap()).await.unwrap());
        let answer = house.app.get("/t/tenants/everything").header("x-tenant", "b").send().await;
        assert_eq!(answer.assert_status(404).code(), "tenant_unknown");
    }
}

#[tokio::test]
async fn a_tenant_is_found_by_subdomain_and_by_the_organisation_of_who_is_signed_in() {
    let shards = bunbase::testing::TestDatabase::create().await.unwrap();
    let app = |from: &str| {
        App::new()
            .config("tenants.isolation", "database")
            .config("tenants.shards", vec![format!("one={}", shards.url())])
            .config("tenants.from", from)
            .config("tenants.domain", "example.com")
            .migrations::<Plain>()
    };
    let by_name = TestApp::start(app("subdomain")).await;
    by_name.tenants().add(&"a".parse().unwrap(), "one").await.unwrap();
    let get = |host: &str| by_name.get("/t/tenants/everything").header("host", host).send();
    get("a.example.com:8080").await.assert_status(200);
    get("example.com").await.assert_status(400);
    get("b.example.com").await.assert_status(404);
    let by_session = TestApp::start(app("session")).await;
    by_session.tenants().add(&"a".parse().unwrap(), "one").await.unwrap();
    let of = |organisation: Option<&str>| Identity::User {
        id: "7".to_owned(),
        roles: Vec::new(),
        permissions: Vec::new(),
        organisation: organisation.map(str::to_owned),
    };
    by_session.call(ShowEverything::new()).as_identity(of(Some("a"))).await.unwrap();
    for (organisation, code) in [(None, "tenant_missing"), (Some("b"), "tenant_unknown")] {
        let call = by_session.call(ShowEverything::new()).as_identity(of(organisation));
        assert_eq!(Error::from(call.await.unwrap_err()).code(), code);
    }
}

#[tokio::test]
async fn what_would_keep_nobody_apart_shows_nothing() {
    let is_postgres = std::env::var("BUNBASE_TEST_DATABASE").as_deref() == Ok("postgres");
    let app = App::new().config("tenants.isolation", "rows").migrations::<Shared>();
    if !is_postgres {
        let started = tokio::spawn(TestApp::start(App::new().config("tenants.isolation", "schema"))).await;
        let panic = started.unwrap_err().into_panic();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("is for Postgres"), "{text}");
        return;
    }
    // The role that tests connect as is a superuser, whom no policy binds.
    let app = TestApp::start(app).await;
    app.tenants().add(&"a".parse().unwrap(), "").await.unwrap();
    let error = Error::from(app.call(AddNote::new("x".to_owned())).for_tenant("a").await.unwrap_err());
    assert_eq!(error.code(), "tenant_isolation");
}

#[tokio::test]
async fn whoever_is_signed_in_at_one_tenant_is_nobody_at_another() {
    for house in each().await {
        let app = &house.app;
        let sign_in = app.post("/t/sessions/sign-in").header("x-tenant", "a").json(&json!({ "user": "7" }));
        let token = sign_in.send().await.assert_status(200).json::<Value>()["token"].as_str().unwrap().to_owned();
        let me = |tenant: &str| app.get("/t/sessions/me").header("x-tenant", tenant).bearer(&token).send();
        assert_eq!(me("a").await.assert_status(200).json::<Value>()["user"], "7", "{}", house.name);
        assert_eq!(me("b").await.assert_status(401).code(), "session_invalid", "{}", house.name);
        // Nor does whoever has their name there end their sessions.
        let everywhere =
            app.post("/t/sessions/sign-out-everywhere").header("x-tenant", "b").json(&json!({ "user": "7" }));
        everywhere.send().await.assert_status(204);
        me("a").await.assert_status(200);
    }
}
