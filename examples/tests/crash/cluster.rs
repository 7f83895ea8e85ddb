//! A PostgreSQL server of the test's own, which it may stop.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A server in a temporary folder, on a free port.
pub struct Cluster {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    /// What the server is started with besides, as `-c name=value`.
    options: &'static str,
}

impl Cluster {
    /// Makes and starts one, with these options. `None` where the tests run on SQLite and, with a visible note, where the programs of PostgreSQL are not
    /// installed, unless services are required.
    pub fn start(options: &'static str) -> Option<Self> {
        if env::var("BUNBASE_TEST_DATABASE").as_deref() != Ok("postgres") {
            return None;
        }
        let Some(programs) = programs() else {
            assert!(env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() != Ok("1"), "no `initdb` is installed");
            eprintln!("SKIPPED: no `initdb` is installed");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let cluster = Self { programs, folder, port, options };
        if is_root() {
            // PostgreSQL refuses to run as root.
            let given = Command::new("chown").arg("-R").arg("postgres").arg(cluster.folder.path()).status();
            assert!(given.expect("`chown` runs").success());
        }
        cluster.run("initdb", &["-U", "bunbase", "--auth=trust", "--no-sync"]);
        cluster.up();
        Some(cluster)
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://bunbase@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it again.
    pub fn up(&self) {
        let folder = self.folder.path().display();
        let options = format!("-p {} -k {folder} -c listen_addresses=127.0.0.1 {}", self.port, self.options);
        self.run("pg_ctl", &["-o", &options, "-w", "-l", "/dev/null", "start"]);
    }

    /// Stops it as a crash would: connections break, nothing is tidied up.
    pub fn crash(&self) {
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"]);
    }

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
        assert!(command.status().expect("it runs").success(), "{command:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A panic here would hide the test's own.
        let stop = std::panic::AssertUnwindSafe(|| self.crash());
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
    let path = env::var_os("PATH").unwrap_or_default();
    folders.splice(0..0, env::split_paths(&path));
    folders.into_iter().rev().find(|folder| Path::new(folder).join("initdb").is_file())
}
