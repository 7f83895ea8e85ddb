//! A process of the application, killed when the test is over.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use bunbase::testing::TestDatabase;
use tempfile::TempDir;

/// How long a line may take. Far more than it does, so that only what hangs fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command that ended has said.
#[derive(Debug)]
pub struct Said {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

/// Where an application runs: a folder of its own, and with `BUNBASE_TEST_DATABASE=postgres` a database of its own.
pub struct Place {
    folder: TempDir,
    database: Option<TestDatabase>,
}

impl Place {
    pub fn new() -> Self {
        let database = is_postgres().then(|| {
            // Of its own, because some tests run in one already.
            let made = thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(TestDatabase::postgres()).expect("a database")
            });
            made.join().expect("a database")
        });
        Self { folder: tempfile::tempdir().expect("a folder"), database }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Returns whether the tests run on PostgreSQL.
pub fn is_postgres() -> bool {
    std::env::var("BUNBASE_TEST_DATABASE").is_ok_and(|database| database == "postgres")
}

/// The application in its place, with no other environment.
pub fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cli-application"));
    command.args(arguments).current_dir(place.path()).env_clear().stdin(Stdio::null());
    if let Some(database) = &place.database {
        command.env("DATABASE_URL", database.url());
    }
    command
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Said {
    let output = command.output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is UTF-8");
    Said { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}

/// A server that runs until the test is over.
pub struct Server {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
    pub url: String,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let out = lines(child.stdout.take().expect("piped"));
        let err = lines(child.stderr.take().expect("piped"));
        let mut server = Self { child, out, err, url: String::new() };
        let line = until(&server.out, "listening");
        server.url = line.split_whitespace().last().expect("a URL").to_owned();
        server
    }

    /// Waits for a line of the banner.
    pub fn says(&self, text: &str) -> String {
        until(&self.out, text)
    }

    /// Waits for a line of the log.
    pub fn logs(&self, text: &str) -> String {
        until(&self.err, text)
    }

    /// Sends a signal: `TERM`, `KILL`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("`kill` runs").success());
    }

    /// Waits for its end.
    pub fn ended(mut self) -> ExitStatus {
        self.child.wait().expect("it ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)).ok();
    });
    receiver
}

fn until(lines: &Receiver<String>, text: &str) -> String {
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line.contains(text) => return line,
            Ok(line) => seen.push(line),
            Err(_) => panic!("no line has {text:?} in it: {seen:#?}"),
        }
    }
}
