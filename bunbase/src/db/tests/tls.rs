//! Encrypted connections to a server of the test's own, with a certificate of the test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{super::Settings, *};

/// A PostgreSQL server with `ssl = on`. Its certificate is for `localhost`, signed by an authority that nobody knows.
struct Server {
    programs: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// Starts one. There is none where PostgreSQL or OpenSSL is not installed, unless `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    fn start() -> Option<Self> {
        let (programs, has_openssl) = (programs(), Command::new("openssl").arg("version").output().is_ok());
        let (Some(programs), true) = (programs, has_openssl) else {
            let required = std::env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() == Ok("1");
            assert!(!required, "no `initdb` or no `openssl` is installed");
            eprintln!("SKIPPED: no `initdb` or no `openssl` is installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { programs, folder, port };
        server.make_certificates();
        if is_root() {
            // PostgreSQL refuses to run as root.
            let given = Command::new("chown").arg("-R").arg("postgres").arg(server.folder.path()).status();
            assert!(given.unwrap().success());
        }
        server.run("initdb", &["-U", "bunbase", "--auth=trust", "--no-sync"]);
        let at = server.folder.path().display();
        let options = format!(
            "-p {port} -k {at} -c listen_addresses=localhost -c ssl=on -c ssl_cert_file={at}/server.crt -c ssl_key_file={at}/server.key"
        );
        server.run("pg_ctl", &["-o", &options, "-w", "-l", "/dev/null", "start"]);
        Some(server)
    }

    fn make_certificates(&self) {
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command
                .args(arguments.split(' '))
                .current_dir(self.folder.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            assert!(command.status().unwrap().success(), "openssl {arguments}");
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        fs::write(self.folder.path().join("names"), "subjectAltName=DNS:localhost\n").unwrap();
        openssl(&format!("req -x509 {key} -keyout ca.key -out ca.crt -subj /CN=authority -days 2"));
        openssl(&format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
        openssl(
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile names",
        );
    }

    /// Runs one of PostgreSQL's programs on the server's files.
    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let data = self.folder.path().join("data");
        command.arg("-D").arg(data).args(arguments).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{command:?}");
    }

    /// Returns whether the connection is encrypted, or what the attempt came to.
    async fn ask(&self, host: &str, query: &str) -> Result<bool, crate::Error> {
        let url = format!("postgres://bunbase@{host}:{}/postgres?{query}", self.port);
        let db = Db::open(&Settings::new(url)).await?;
        db.sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").scalar().await
    }

    fn root(&self) -> String {
        self.folder.path().join("ca.crt").display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A panic here would hide the test's own.
        let stop = std::panic::AssertUnwindSafe(|| self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]));
        let _ = std::panic::catch_unwind(stop);
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Returns the folder of the newest server that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.splice(0..0, std::env::split_paths(&path));
    folders.into_iter().rev().find(|folder| Path::new(folder).join("initdb").is_file())
}

#[tokio::test]
async fn a_connection_is_as_secret_and_as_sure_as_its_address_says() {
    let Some(server) = Server::start() else { return };
    let root = format!("&sslrootcert={}", server.root());
    assert!(!server.ask("localhost", "sslmode=disable").await.unwrap());
    for mode in ["prefer", "require"] {
        assert!(server.ask("localhost", &format!("sslmode={mode}")).await.unwrap(), "{mode}");
    }
    for mode in ["verify-ca", "verify-full"] {
        assert!(server.ask("localhost", &format!("sslmode={mode}{root}")).await.unwrap(), "{mode}");
        // Nobody knows who signed it.
        let error = server.ask("localhost", &format!("sslmode={mode}")).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{mode}: {error:?}");
    }
    // It is for another name.
    assert!(server.ask("127.0.0.1", &format!("sslmode=verify-ca{root}")).await.unwrap());
    let error = server.ask("127.0.0.1", &format!("sslmode=verify-full{root}")).await.unwrap_err();
    assert_eq!((error.status(), error.code()), (503, "database_unavailable"), "{error:?}");
}
