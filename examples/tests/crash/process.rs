//! Processes of the application over one database.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use bunbase::{
    db::{Db, Settings},
    testing::TestDatabase,
};

/// A database, and how to start the application over it.
pub struct Application {
    url: String,
    folder: tempfile::TempDir,
    // Last: its connections are closed before it goes.
    _database: Option<TestDatabase>,
}

/// One process, killed when dropped.
pub struct Process(Child);

impl Application {
    /// Over a database that goes with it.
    pub fn over(database: TestDatabase) -> Self {
        let mut application = Self::at(database.url());
        application._database = Some(database);
        application
    }

    /// Over the database at a URL.
    pub fn at(url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let application = Self { url: url.to_owned(), folder, _database: None };
        assert!(application.command(&["migrate"]).status().expect("it runs").success());
        application
    }

    /// Opens its database.
    pub async fn db(&self) -> Db {
        Db::open(&Settings::new(&self.url)).await.expect("it opens")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crash-application"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("DATABASE_URL", &self.url)
            .env("BUNBASE__QUEUE__LEASE", "1s")
            .env("BUNBASE__QUEUE__POLL_INTERVAL", "100ms")
            .env("BUNBASE__QUEUE__CONCURRENCY", "8")
            .env("BUNBASE__DATABASE__MAX_CONNECTIONS", "8")
            // The client opens a thousand connections at once on the cores that it shares with these processes.
            .env("BUNBASE__HTTP__CLIENT_REQUEST_TIMEOUT", "1m")
            .env("BUNBASE__LOG__LEVEL", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts a process that is not to start, and returns what it says on its way out.
    pub fn refused(&self, variables: &[(&str, &str)]) -> String {
        let mut command = self.command(&["serve", "--roles", "http", "--port", "0"]);
        let output = command.envs(variables.iter().copied()).stderr(Stdio::piped()).output().expect("it runs");
        assert!(!output.status.success(), "it started");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Starts a process that works on the queue.
    pub fn worker(&self) -> Process {
        Process(self.command(&["serve", "--roles", "worker"]).spawn().expect("it starts"))
    }

    /// Starts a process that answers requests, and returns where.
    pub fn server(&self) -> (Process, String) {
        self.server_with(&[])
    }

    /// As [`server`](Self::server), with more variables.
    pub fn server_with(&self, variables: &[(&str, &str)]) -> (Process, String) {
        let mut command = self.command(&["serve", "--roles", "http", "--port", "0"]);
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let listening = |line: String| line.trim().strip_prefix("listening").map(|url| url.trim().to_owned());
        let url = out.lines().map_while(Result::ok).find_map(listening).expect("it listens");
        (Process(child), url)
    }
}

impl Process {
    /// Kills it with SIGKILL: it has no chance to tidy up.
    pub fn kill(mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it ends");
    }

    /// Sends it a signal: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()).status();
        assert!(sent.expect("`kill` runs").success());
    }

    /// Waits for its end, and returns whether it ended well.
    pub fn ended(mut self) -> bool {
        self.0.wait().expect("it ends").success()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
