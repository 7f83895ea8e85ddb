//! A PostgreSQL server of a test's own.

use std::{
    env, fmt, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{Error, Result};

/// A PostgreSQL server in a temporary folder, on a free port of this machine: to stop, to start again, and to configure. It goes when
/// this is dropped.
pub struct PostgresServer {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    options: String,
}

impl PostgresServer {
    /// Makes and starts one. `options` is given its folder, where it may put files, and returns what the server is started with besides,
    /// as `-c name=value`. `None`, with a visible note, where the programs of PostgreSQL are not installed, unless
    /// `BUNBASE_TEST_REQUIRE_SERVICES=1`.
    ///
    /// # Errors
    /// When it must be there and is not, or does not start.
    pub fn start(options: impl FnOnce(&Path) -> String) -> Result<Option<Self>> {
        let Some(programs) = programs() else {
            if env::var("BUNBASE_TEST_REQUIRE_SERVICES").as_deref() == Ok("1") {
                return Err(Error::internal("BUNBASE_TEST_REQUIRE_SERVICES=1, and no `initdb` is installed"));
            }
            eprintln!("SKIPPED on a PostgreSQL of the test's own: no `initdb` is installed");
            return Ok(None);
        };
        let server = Self::empty(programs, options)?;
        server.run("initdb", &["-U", "bunbase", "--auth=trust", "--no-sync"])?;
        server.up()?;
        Ok(Some(server))
    }

    /// Makes and starts a standby of it, which goes on replaying what it writes.
    ///
    /// # Errors
    /// When it does not start.
    pub fn standby(&self) -> Result<Self> {
        let server = Self::empty(self.programs.clone(), |_folder| String::new())?;
        server.run("pg_basebackup", &["-d", &self.url(), "-R", "-X", "stream", "-c", "fast", "--no-sync"])?;
        server.up()?;
        Ok(server)
    }

    fn empty(programs: PathBuf, options: impl FnOnce(&Path) -> String) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let options = options(folder.path());
        let server = Self { programs, folder, port, options };
        if is_root() {
            // PostgreSQL refuses to run as root.
            done(Command::new("chown").arg("-R").arg("postgres").arg(server.folder.path()))?;
        }
        Ok(server)
    }

    /// Returns the URL of its database, as its superuser.
    pub fn url(&self) -> String {
        format!("postgres://bunbase@127.0.0.1:{}/postgres", self.port)
    }

    /// Returns the port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it again, after [`crash`](Self::crash), and returns when it takes connections.
    ///
    /// # Errors
    /// When it does not start.
    pub fn up(&self) -> Result<()> {
        let folder = self.folder.path().display();
        let options = format!("-p {} -k {folder} -c listen_addresses=127.0.0.1 {}", self.port, self.options);
        self.run("pg_ctl", &["-o", &options, "-w", "-l", "/dev/null", "start"])
    }

    /// Stops it as a crash would: connections break, nothing is tidied up.
    ///
    /// # Errors
    /// When it does not run.
    pub fn crash(&self) -> Result<()> {
        self.run("pg_ctl", &["-m", "immediate", "-w", "stop"])
    }

    /// Runs one of PostgreSQL's programs on the server's files.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        done(command.arg("-D").arg(self.folder.path().join("data")).args(arguments).current_dir("/"))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // It may be down already.
        let _ = self.crash();
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresServer").field("folder", &self.folder).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Runs a command to its end, which must be a good one.
fn done(command: &mut Command) -> Result<()> {
    if command.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
        return Ok(());
    }
    Err(Error::internal(format!("this failed: {command:?}")))
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
    folders.into_iter().rev().find(|folder| folder.join("initdb").is_file())
}
