//! Redis over TLS, with a certificate of the test's own: the process is told of its authority as every program is, by `SSL_CERT_FILE`.

use std::{
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bunbase::redis::testing::free_port;
use tempfile::TempDir;

use crate::{
    commands::assert_told,
    process::{Place, Said, command, run},
};

/// A server that speaks nothing but TLS; it ends when this is dropped.
struct Secure {
    folder: TempDir,
    child: Child,
    port: u16,
}

impl Secure {
    /// Starts one. `None`, with a visible note, where a program is missing, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    fn start() -> Option<Self> {
        let is_there = |name: &str| Command::new(name).arg("--version").output().is_ok();
        // `openssl` calls that a command, and fails; it is there all the same.
        if !is_there("openssl") || !is_there("redis-server") {
            let required = std::env::var("BUNBASE_TEST_REQUIRE_SERVICES").is_ok_and(|required| required == "1");
            assert!(!required, "`openssl` or `redis-server` is not installed");
            eprintln!("SKIPPED on Redis over TLS: `openssl` or `redis-server` is not installed");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        certificates(folder.path());
        let port = free_port().expect("a port");
        let arguments =
            ["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""].map(str::to_owned);
        let files = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem"];
        let mut server = Command::new("redis-server");
        server
            .args(arguments)
            .args(files)
            .args(["--tls-auth-clients", "no", "--appendonly", "no"])
            .current_dir(folder.path());
        let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        let give_up = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < give_up, "redis-server does not listen: is it built with TLS?");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { folder, child, port })
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        // It may have ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes an authority, and the certificate of a server on loopback.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let made =
            Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("`openssl` runs");
        assert!(made.status.success(), "{arguments}: {}", String::from_utf8_lossy(&made.stderr));
    };
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").expect("written");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!("req -x509 {key} -keyout ca-key.pem -out ca.pem -subj /CN=test-authority -days 1"));
    openssl(&format!("req {key} -keyout key.pem -out request.pem -subj /CN=localhost"));
    openssl(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out cert.pem -days 1 -extfile names",
    );
}

fn visit(place: &Place, server: &Secure, authority: Option<&Path>) -> Said {
    let mut command = command(place, &["call", "visit"]);
    command.env("REDIS_URL", format!("rediss://127.0.0.1:{}", server.port));
    if let Some(authority) = authority {
        command.env("SSL_CERT_FILE", authority);
    }
    run(&mut command)
}

#[test]
fn redis_over_tls_is_used_when_its_certificate_is_trusted_and_not_otherwise() {
    let Some(server) = Secure::start() else { return };
    let (place, authority) = (Place::new(), server.authority());
    for count in ["1\n", "2\n"] {
        let said = visit(&place, &server, Some(&authority));
        assert_eq!(said.out, count, "{}", said.err);
    }
    assert_told(&visit(&place, &server, None), &["Redis cannot be reached"]);
}
