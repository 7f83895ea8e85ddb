//! Cookies and bearer tokens, from the sign-in to the sign-out.

use std::time::Duration;

use super::*;

#[bunbase::test]
async fn whoever_signs_in_is_known_by_the_cookie_and_by_the_token() {
    let app = TestApp::start(app()).await;
    let cookie = cookie_of(&app, "ann").await;
    let expected = |session: Option<Uuid>| Known {
        user: "ann".to_owned(),
        organisation: Some("acme".to_owned()),
        roles: vec!["editor".to_owned()],
        permissions: vec!["tasks:*".to_owned()],
        desk: Some(3),
        session,
    };
    let by_cookie = send_with(app.get("/t/sessions/me"), &cookie).await.assert_status(200);
    assert_eq!(by_cookie.header("cache-control"), Some("no-store"));
    let by_cookie = by_cookie.json::<Known>();
    let by_bearer = app.get("/t/sessions/me").bearer(&cookie).send().await.assert_status(200).json::<Known>();
    assert_eq!((&by_cookie, &by_bearer), (&expected(by_cookie.session), &expected(by_cookie.session)));
    assert_eq!(app.get("/t/sessions/maybe").bearer(&cookie).send().await.json::<Option<Known>>(), Some(by_bearer));
}

#[bunbase::test]
async fn the_cookie_is_for_this_host_and_no_script() {
    let app = TestApp::start(app()).await;
    let answer = app.post("/t/sessions/sign-in").json(&SignIn::new("ann".to_owned())).send().await;
    let set = answer.headers("set-cookie");
    assert!(set[0].ends_with("; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax"), "{set:?}");
    assert_eq!(set.len(), 1);
    let secure = TestApp::start(super::app().config("session.secure", true)).await;
    let answer = secure.post("/t/sessions/sign-in").json(&SignIn::new("ann".to_owned())).send().await;
    assert!(answer.set_cookie("__Host-bunbase_session").is_some(), "{:?}", answer.headers("set-cookie"));
    assert_eq!(
        secure.document().pointer("/components/securitySchemes/session/name"),
        Some(&serde_json::json!("__Host-bunbase_session"))
    );
}

#[bunbase::test]
async fn nobody_and_somebody_with_a_wrong_token_are_401() {
    let app = TestApp::start(app()).await;
    let nobody = app.get("/t/sessions/me").send().await.assert_status(401);
    assert_eq!((nobody.code().as_str(), nobody.header("www-authenticate")), ("session_missing", Some("Bearer")));
    let wrong = send_with(app.get("/t/sessions/me"), "bbs1.nonsense").await.assert_status(401);
    // The browser is told to forget it.
    assert_eq!((wrong.code().as_str(), wrong.set_cookie(COOKIE)), ("session_invalid", Some("")));
    let basic = app.get("/t/sessions/me").header("authorization", "Basic YTpi").send().await.assert_status(401);
    assert_eq!(basic.code(), "session_missing");
    let bearer = app.get("/t/sessions/me").bearer("somebody-elses").send().await.assert_status(401);
    assert_eq!((bearer.code().as_str(), bearer.set_cookie(COOKIE)), ("session_invalid", None));
    // A wrong bearer is not made good by a cookie.
    let cookie = cookie_of(&app, "ann").await;
    send_with(app.get("/t/sessions/me").bearer("somebody-elses"), &cookie).await.assert_status(401);
    assert_eq!(send_with(app.get("/t/sessions/maybe"), "bbs1.nonsense").await.json::<Option<Known>>(), None);
    for text in ["\u{e4}", "a=b", "\"", "bbs1.", "bbs1.%00%ff", &"A".repeat(4000)] {
        let answer = send_with(app.get("/t/sessions/me"), text).await;
        assert_eq!(answer.status(), 401, "{text}: {answer}");
    }
}

#[bunbase::test]
async fn a_session_that_was_ended_is_worth_nothing() {
    for revocation in ["eventual", "immediate"] {
        let app = TestApp::start(app().config("session.revocation", revocation)).await;
        let cookie = cookie_of(&app, "ann").await;
        let out = send_with(app.post("/t/sessions/sign-out"), &cookie).await.assert_status(204);
        assert_eq!(out.set_cookie(COOKIE), Some(""));
        let replayed = send_with(app.get("/t/sessions/me"), &cookie).await.assert_status(401);
        assert_eq!(replayed.code(), "session_ended");
        // Signing out twice is no error.
        send_with(app.post("/t/sessions/sign-out"), &cookie).await.assert_status(204);
        app.post("/t/sessions/sign-out").send().await.assert_status(204);
    }
}

#[bunbase::test]
async fn a_sign_out_everywhere_ends_all_of_a_user_and_nobody_elses() {
    let app = TestApp::start(app()).await;
    let (phone, laptop) = (cookie_of(&app, "ann").await, cookie_of(&app, "ann").await);
    let bob = cookie_of(&app, "bob").await;
    let request = app.post("/t/sessions/sign-out-everywhere").json(&SignOutEverywhere::new("ann".to_owned()));
    let answer = send_with(request, &phone).await.assert_status(204);
    assert_eq!(answer.set_cookie(COOKIE), Some(""));
    for cookie in [&phone, &laptop] {
        assert_eq!(send_with(app.get("/t/sessions/me"), cookie).await.assert_status(401).code(), "session_ended");
    }
    send_with(app.get("/t/sessions/me"), &bob).await.assert_status(200);
    let again = cookie_of(&app, "ann").await;
    send_with(app.get("/t/sessions/me"), &again).await.assert_status(200);
}

#[bunbase::test]
async fn a_sign_in_that_was_under_way_does_not_survive_a_sign_out_everywhere() {
    for how in ["eventual", "immediate"] {
        let halt = Arc::<Halt>::default();
        let app = TestApp::start(app().state(halt.clone()).config("session.revocation", how)).await;
        let slowly = async |user: &str, meanwhile: &str| {
            let sign_in = app.post("/t/sessions/sign-in-slowly").json(&SignInSlowly::new(user.to_owned())).send();
            let elsewhere = async {
                halt.checked.notified().await;
                let body = SignOutEverywhere::new(meanwhile.to_owned());
                app.post("/t/sessions/sign-out-everywhere").json(&body).send().await.assert_status(204);
                halt.go.notify_one();
            };
            tokio::join!(sign_in, elsewhere).0
        };
        let refused = slowly("ann", "ann").await;
        assert_eq!((refused.status(), refused.code().as_str()), (401, "session_ended"), "{how}: {refused}");
        assert_eq!(refused.set_cookie(COOKIE), None);
        // Nobody else is kept out, and whoever begins afterwards is let in at once.
        slowly("bob", "ann").await.assert_status(200);
        let cookie = cookie_of(&app, "ann").await;
        send_with(app.get("/t/sessions/me"), &cookie).await.assert_status(200);
        // A run may do both: its own sign-out is none that it did not know of.
        let anew = app.post("/t/sessions/begin-anew").json(&BeginAnew::new("ann".to_owned())).send().await;
        let token = anew.assert_status(200).json::<Token>().token;
        app.get("/t/sessions/me").bearer(&token).send().await.assert_status(200);
        assert_eq!(send_with(app.get("/t/sessions/me"), &cookie).await.status(), 401);
    }
}

#[bunbase::test]
async fn nobody_is_signed_out_everywhere_by_a_change_that_is_not_committed() {
    let app = TestApp::start_unchecked(app()).await;
    let token = cookie_of(&app, "ann").await;
    for path in ["/t/sessions/too-early", "/t/sessions/too-early-at-its-end"] {
        let request = app.post(path).header("idempotency-key", "one").json(&TooEarly::new("ann".to_owned()));
        assert_eq!(request.send().await.assert_status(500).code(), "transaction_open", "{path}");
    }
    app.get("/t/sessions/me").bearer(&token).send().await.assert_status(200);
}

#[bunbase::test]
async fn signing_in_and_a_change_of_rights_end_the_session_before() {
    let app = TestApp::start(app()).await;
    // What an attacker has put there before is of no use to him after.
    let fixed = cookie_of(&app, "mallory").await;
    let answer = send_with(app.post("/t/sessions/sign-in").json(&SignIn::new("ann".to_owned())), &fixed).await;
    let ann = answer.set_cookie(COOKIE).unwrap().to_owned();
    send_with(app.get("/t/sessions/me"), &fixed).await.assert_status(401);

    let before = send_with(app.get("/t/sessions/me"), &ann).await.json::<Known>();
    let promoted = send_with(app.post("/t/sessions/promote"), &ann).await.assert_status(204);
    let promoted = promoted.set_cookie(COOKIE).unwrap();
    send_with(app.get("/t/sessions/admin"), promoted).await.assert_status(200);
    send_with(app.get("/t/sessions/me"), &ann).await.assert_status(401);
    assert_ne!(send_with(app.get("/t/sessions/me"), promoted).await.json::<Known>().session, before.session);
}

#[bunbase::test]
async fn a_sign_in_of_an_action_that_was_called_counts_and_one_that_failed_does_not() {
    let app = TestApp::start(app()).await;
    let nested = app
        .post("/t/sessions/sign-in-nested")
        .json(&SignInNested::new("ann".to_owned()))
        .send()
        .await
        .assert_status(204);
    let cookie = nested.set_cookie(COOKIE).unwrap();
    assert_eq!(send_with(app.get("/t/sessions/me"), cookie).await.json::<Known>().user, "ann");
    let failed = app.post("/t/sessions/sign-in-failing").json(&SignInFailing::new("ann".to_owned())).send().await;
    assert_eq!(failed.assert_status(409).set_cookie(COOKIE), None);
}

#[bunbase::test]
async fn a_cookie_that_is_used_is_renewed_and_a_token_on_request() {
    let app = TestApp::start(app()).await;
    let cookie = cookie_of(&app, "ann").await;
    assert_eq!(send_with(app.get("/t/sessions/me"), &cookie).await.set_cookie(COOKIE), None);
    assert_eq!(
        app.post("/t/sessions/renew").bearer(&cookie).send().await.json::<Option<Token>>().map(|it| it.token),
        None
    );
    app.clock().advance(Duration::from_mins(11));
    // Also where the run fails: it is the same session.
    let renewed = send_with(app.get("/t/sessions/admin"), &cookie).await.assert_status(403);
    let renewed = renewed.set_cookie(COOKIE).unwrap().to_owned();
    assert_ne!(renewed, cookie);
    let token = app.post("/t/sessions/renew").bearer(&cookie).send().await.json::<Option<Token>>().unwrap().token;
    app.clock().advance(Duration::from_hours(24) - Duration::from_mins(5));
    assert_eq!(send_with(app.get("/t/sessions/me"), &cookie).await.assert_status(401).code(), "session_expired");
    send_with(app.get("/t/sessions/me"), &renewed).await.assert_status(200);
    app.get("/t/sessions/me").bearer(&token).send().await.assert_status(200);
    // All of them are one session.
    app.post("/t/sessions/sign-out").bearer(&token).send().await.assert_status(204);
    send_with(app.get("/t/sessions/me"), &renewed).await.assert_status(401);
}

#[bunbase::test]
async fn a_cookie_that_another_host_has_set_is_not_taken_for_one_with_a_prefix() {
    let app = TestApp::start(super::app().config("session.secure", true)).await;
    let (ann, eve) = (app.sign_in(grant("ann")).await, app.sign_in(grant("eve")).await);
    for name in
        ["%5F%5FHost-bunbase_session", "__%48ost-bunbase_session", "\u{2000}__Host-bunbase_session", "bunbase_session"]
    {
        // Before the other one: of two that are of one name the first would count.
        let cookies = format!("{name}={eve}; __Host-bunbase_session={ann}");
        let value = cookies.into_bytes();
        let answer = app.get("/t/sessions/me").header_bytes("cookie", &value).send().await.assert_status(200);
        assert_eq!(answer.json::<Known>().user, "ann", "{name}");
    }
}

#[bunbase::test]
async fn a_browser_that_says_nothing_of_its_page_needs_the_pages_token() {
    let app = TestApp::start(app()).await;
    let cookie = cookie_of(&app, "ann").await;
    assert_eq!(app.get("/t/sessions/page-token").send().await.json::<Option<String>>(), None);
    let answer = app.get("/t/sessions/page-token").cookie(COOKIE, &cookie).send().await;
    let token = answer.json::<Option<String>>().unwrap();
    let prove = || app.post("/t/sessions/prove").cookie(COOKIE, &cookie);
    assert_eq!(prove().send().await.assert_status(403).code(), "csrf_refused");
    prove().header("x-csrf-token", "of-another-page").send().await.assert_status(403);
    prove().header("x-csrf-token", &token).send().await.assert_status(204);
}
