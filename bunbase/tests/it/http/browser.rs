//! Pages of other origins in a real browser: what they can read, and what they can change with the cookies of who looks at them.
//!
//! The servers have one host and three ports, which is the hardest case: to a browser they are three origins of one site, so it sends even
//! the strictest cookies along.

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bunbase::{prelude::*, testing::ListeningApp};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::soon;

bunbase::module!(prefix = "/t/browser");

/// What happens at a server.
struct Seen {
    /// How often something was changed by somebody with the cookie.
    changes: AtomicUsize,
    reports: mpsc::UnboundedSender<Value>,
}

/// Tells its reader something, by the cookie.
#[action(get = "/secret")]
async fn secret(#[cookie] bunbase_session: Option<String>) -> Result<String> {
    Ok(format!("the secret of {}", bunbase_session.unwrap_or_default()))
}

/// Changes something, by the cookie.
#[action(post = "/change")]
async fn change(ctx: Ctx, #[cookie] bunbase_session: Option<String>) -> Result<()> {
    if bunbase_session.as_deref() == Some("victim") {
        ctx.state::<Arc<Seen>>()?.changes.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// The page that tries it on another server.
#[action(get = "/page")]
async fn attempt(server: String) -> Result<Html> {
    Ok(Html(PAGE.replace("SERVER", &server)))
}

/// Takes what the page came to.
#[action(post = "/report")]
async fn report(ctx: Ctx, #[body] report: Value) -> Result<()> {
    let _ = ctx.state::<Arc<Seen>>()?.reports.send(report);
    Ok(())
}

/// Cookies know no ports, so the page can give its reader the one that the other server would have set.
const PAGE: &str = r#"<!doctype html><body><script type="module">
const server = "SERVER/t/browser";
document.cookie = "bunbase_session=victim; path=/; SameSite=Strict";
const attempt = async (work) => { try { return await work(); } catch (error) { return "refused"; } };
const within = (promise) => Promise.race([promise, new Promise((done) => setTimeout(() => done("nothing"), 3000))]);
const report = {};
report.read = await attempt(async () => await (await fetch(server + "/secret", { credentials: "include" })).json());
report.opaque = await attempt(async () =>
  (await fetch(server + "/secret", { credentials: "include", mode: "no-cors" })).type);
report.script = await within(new Promise((done) => {
  const script = document.createElement("script");
  script.onload = () => done("loaded");
  script.onerror = () => done("refused");
  script.src = server + "/secret";
  document.body.append(script);
}));
report.json = await attempt(async () => (await fetch(server + "/change",
  { method: "POST", credentials: "include", headers: { "content-type": "application/json" }, body: "{}" })).status);
report.simple = await attempt(async () => (await fetch(server + "/change", { method: "POST", credentials: "include" })).status);
await attempt(() => fetch(server + "/change", { method: "POST", credentials: "include", mode: "no-cors", body: "a=b" }));
navigator.sendBeacon(server + "/change", "a=b");
for (const kind of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
  await within(new Promise((done) => {
    const frame = Object.assign(document.createElement("iframe"), { name: kind });
    const form = Object.assign(document.createElement("form"),
      { action: server + "/change", method: "post", enctype: kind, target: kind });
    document.body.append(frame, form);
    frame.onload = done;
    form.submit();
  }));
}
await fetch("/t/browser/report",
  { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(report) });
</script>"#;

struct Server {
    app: ListeningApp,
    seen: Arc<Seen>,
    reports: mpsc::UnboundedReceiver<Value>,
}

impl Server {
    async fn start(app: App) -> Self {
        let (sender, reports) = mpsc::unbounded_channel();
        let seen = Arc::new(Seen { changes: AtomicUsize::new(0), reports: sender });
        Self { app: ListeningApp::start(app.state(seen.clone())).await, seen, reports }
    }

    fn origin(&self) -> String {
        format!("http://{}", self.app.address())
    }

    fn changes(&self) -> usize {
        self.seen.changes.swap(0, Ordering::SeqCst)
    }
}

/// A browser that has opened one page; it ends when this is dropped.
struct Browser(Child, #[expect(dead_code, reason = "goes with the browser")] tempfile::TempDir);

impl Browser {
    /// `None` where none is installed, unless `BUNBASE_TEST_REQUIRE_BROWSER=1`.
    fn open(url: &str) -> Option<Self> {
        let profile = tempfile::tempdir().unwrap();
        for name in ["chromium", "chromium-browser", "google-chrome"] {
            let mut command = Command::new(name);
            // Without a sandbox, which a container has no rights for: it sees nothing but the pages above.
            command.args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ]);
            command.arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
            if let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
                return Some(Self(child, profile));
            }
        }
        let required = std::env::var("BUNBASE_TEST_REQUIRE_BROWSER").as_deref() == Ok("1");
        assert!(!required, "no Chromium is installed");
        eprintln!("SKIPPED: no Chromium is installed");
        None
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has a page of `from` try everything on `server`.
async fn visit(from: &mut Server, server: &Server) -> Option<Value> {
    let _browser = Browser::open(&format!("{}/t/browser/page?server={}", from.origin(), server.origin()))?;
    soon("what the page came to", from.reports.recv()).await
}

#[tokio::test]
async fn a_page_of_another_origin_reads_and_changes_nothing_unless_it_is_listed() {
    let (mut foreign, mut listed) = (Server::start(App::new()).await, Server::start(App::new()).await);
    let refused =
        json!({ "read": "refused", "opaque": "refused", "script": "refused", "json": "refused", "simple": "refused" });

    // By default.
    let closed = Server::start(App::new()).await;
    let Some(report) = visit(&mut foreign, &closed).await else { return };
    // With `no-cors` a page of the same site gets an answer that it cannot look into, unless the answer says that it may not.
    assert_eq!((report, closed.changes()), (refused.clone(), 0));

    // With another origin let in.
    let open = App::new().config("cors.origins", vec![listed.origin()]).config("cors.credentials", true);
    let open = Server::start(open).await;
    assert_eq!((visit(&mut foreign, &open).await.unwrap(), open.changes()), (refused, 0));
    let report = visit(&mut listed, &open).await.unwrap();
    assert_eq!(
        (&report["read"], &report["json"], &report["simple"]),
        (&json!("the secret of victim"), &json!(204), &json!(204))
    );
    assert!(open.changes() >= 2);

    // That all of this is tried, and that the browser alone does not keep it back.
    let bare = Server::start(App::new().config("security.csrf", false).config("security.headers", false)).await;
    let report = visit(&mut foreign, &bare).await.unwrap();
    assert_eq!((&report["read"], &report["opaque"]), (&json!("refused"), &json!("opaque")));
    // `simple`, `no-cors`, the beacon and three forms; the last of them may still be on its way.
    assert!(bare.changes() >= 5);
}
