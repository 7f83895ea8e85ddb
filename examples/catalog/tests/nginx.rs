//! What a shared cache between client and server makes of the answers: nginx with `proxy_cache`.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bunbase::{prelude::*, testing::ListeningApp};
use reqwest::Client;

use super::EDITOR;

/// Counts visits, for the caller alone.
#[action(get = "/visits", cache(ttl = "5m"), guards = [Visited])]
async fn show_visits() -> Result<u32> {
    Ok(1)
}

/// Sets a cookie on every answer.
struct Visited;

impl Guard for Visited {
    type Error = bunbase::Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        ctx.answer_with(|headers| headers.push(("set-cookie", "visited=1".to_owned())));
        Ok(())
    }

    fn admits_everybody(&self) -> bool {
        true
    }
}

/// Shows what only those see who have a key.
#[action(get = "/internal", cache(ttl = "5m"), guards = [api_key()])]
async fn show_internal() -> Result<String> {
    Ok("for editors".to_owned())
}

/// nginx in front of a server, in a folder of its own; it goes when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Nginx {
    /// Starts it; nothing, with a note, where it is not installed and need not be.
    fn before(server: SocketAddr) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        // A port that was free a moment ago: nginx takes no other kind.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let config = format!(
            "daemon off; pid {at}/pid; error_log stderr; worker_processes 1;
             events {{}}
             http {{
               access_log off;
               client_body_temp_path {at}/body; proxy_temp_path {at}/proxy; fastcgi_temp_path {at}/f;
               uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;
               proxy_cache_path {at}/cache keys_zone=catalog:1m;
               server {{
                 listen 127.0.0.1:{port};
                 location / {{
                   proxy_pass http://{server};
                   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                   proxy_cache catalog;
                   add_header X-Proxy-Cache $upstream_cache_status always;
                 }}
               }}
             }}"
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, config).expect("it writes");
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&path).arg("-p").arg(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let is_needed = std::env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() == Ok("1");
                assert!(!is_needed, "BUNBASE_TEST_REQUIRE_SERVICES=1, and nginx does not start: {error}");
                eprintln!("SKIPPED behind nginx: {error}");
                return None;
            }
        };
        let nginx = Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)), _folder: folder };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(nginx.address).is_err() {
            assert!(Instant::now() < until, "nginx does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(nginx)
    }

    /// Asks for a path and returns what nginx says of its cache, and the status.
    async fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> (String, u16) {
        let client = Client::builder().no_proxy().build().expect("a client");
        let mut request = client.get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.headers().get("x-proxy-cache").and_then(|value| value.to_str().ok()).unwrap_or_default();
        (status.to_owned(), answer.status().as_u16())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its worker on SIGTERM.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[bunbase::test]
async fn a_shared_cache_keeps_what_is_public_and_nothing_else() {
    let app = ListeningApp::start(crate::app()).await;
    let Some(nginx) = Nginx::before(app.address()) else { return };
    assert_eq!(nginx.get("/catalog/tea-green", &[]).await, ("MISS".to_owned(), 200));
    assert_eq!(nginx.get("/catalog/tea-green", &[]).await, ("HIT".to_owned(), 200));
    // With a cookie: whoever sent it would be remembered by it.
    for _ in 0..2 {
        assert_eq!(nginx.get("/visits", &[]).await, ("MISS".to_owned(), 200));
    }
    // With an identity.
    for _ in 0..2 {
        assert_eq!(nginx.get("/internal", &[("x-api-key", EDITOR)]).await, ("MISS".to_owned(), 200));
    }
    assert_eq!(nginx.get("/internal", &[]).await, ("MISS".to_owned(), 401));
    // An error is asked for again.
    for _ in 0..2 {
        assert_eq!(nginx.get("/catalog/none", &[]).await, ("MISS".to_owned(), 404));
    }
}
