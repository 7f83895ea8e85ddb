//! The peers: the endpoints of the benchmark, written by hand on other frameworks. `peers/peers.toml` lists them and says what is what.
#![expect(dead_code, reason = "`run --peers` will be the one that calls it")]

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

/// How long a peer may take until it says where it listens.
const START: Duration = Duration::from_mins(1);

/// How long a peer may take to end after SIGTERM.
const STOP: Duration = Duration::from_secs(10);

/// One server of the manifest. Its paths and commands are absolute.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Peer {
    /// What it is called in tables.
    pub(crate) name: String,
    pub(crate) language: String,
    /// With versions.
    pub(crate) framework: String,
    /// Where its commands run.
    pub(crate) directory: PathBuf,
    /// The command that installs and compiles it.
    pub(crate) build: Vec<String>,
    /// The command that serves.
    pub(crate) start: Vec<String>,
    /// What is there once it is built.
    installed: PathBuf,
    /// What can be asked of it.
    pub(crate) scenarios: Vec<String>,
    /// What it does not refuse, other than the rest.
    #[serde(default)]
    pub(crate) lenient: Vec<String>,
    /// What is to be known of it; often nothing.
    pub(crate) notes: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    peer: Vec<Peer>,
}

impl Peer {
    /// Returns all of them, whether they are installed or not, in the order of the manifest.
    pub(crate) fn all() -> io::Result<Vec<Self>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let manifest = fs::read_to_string(folder.join("peers.toml"))?;
        parse(&manifest, &folder, env::var_os("CARGO_TARGET_DIR").as_deref()).map_err(io::Error::other)
    }

    /// Says whether it was built. What it runs on, such as Node, may be missing still: then it does not start.
    pub(crate) fn is_installed(&self) -> bool {
        self.installed.exists()
    }

    /// Returns what to type to install it.
    pub(crate) fn how_to_install(&self) -> String {
        let quote = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
        let build: Vec<String> = self.build.iter().map(quote).collect();
        format!("cd {} && {}", self.directory.display(), build.join(" "))
    }

    /// Starts it on a free port and waits until it says which.
    ///
    /// # Errors
    /// It does not start, it ends, or it says nothing for a minute.
    pub(crate) fn start(&self, workers: usize, database_url: Option<&str>) -> io::Result<Running> {
        let failed = |why: &str| io::Error::other(format!("the peer `{}` {why}", self.name));
        let (program, arguments) = self.start.split_first().ok_or_else(|| failed("has no command"))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.directory).stdin(Stdio::null()).stdout(Stdio::piped());
        command.env("PORT", "0").env("WORKERS", workers.to_string()).env_remove("DATABASE_URL");
        if let Some(url) = database_url {
            command.env("DATABASE_URL", url);
        }
        let mut process = command.spawn().map_err(|error| failed(&format!("does not start: {error}")))?;
        let out = process.stdout.take().map(BufReader::new);
        // Owns the process from here on, so that it is ended whatever comes.
        let mut running = Running { process, address: String::new() };
        let (found, address) = mpsc::channel();
        thread::spawn(move || found.send(out.and_then(read_address)));
        let found = address.recv_timeout(START).map_err(|_| failed("says nothing"))?;
        let (address, out) = found.ok_or_else(|| failed("did not say where it listens"))?;
        running.address = address;
        // What it says later has to go somewhere.
        running.process.stdout = Some(out);
        Ok(running)
    }
}

/// Reads the manifest of `folder`. `target` is where cargo was told to build, if it was.
fn parse(manifest: &str, folder: &Path, target: Option<&OsStr>) -> Result<Vec<Peer>, toml::de::Error> {
    let mut peers = toml::from_str::<Manifest>(manifest)?.peer;
    for peer in &mut peers {
        peer.directory = folder.join(&peer.directory);
        let target = peer.directory.join(target.unwrap_or(OsStr::new("target")));
        let resolve = |text: &str| text.replace("{target}", &target.to_string_lossy());
        for part in &mut peer.start {
            *part = resolve(part);
        }
        // A program without a slash is looked for in PATH.
        if let Some(program) = peer.start.first_mut().filter(|program| program.contains('/')) {
            *program = peer.directory.join(&*program).to_string_lossy().into_owned();
        }
        peer.installed = peer.directory.join(resolve(&peer.installed.to_string_lossy()));
    }
    Ok(peers)
}

/// Returns the address in the first line that has one, and the rest of the output; nothing when it ends without.
fn read_address(mut out: BufReader<ChildStdout>) -> Option<(String, ChildStdout)> {
    let mut line = String::new();
    while out.read_line(&mut line).ok()? > 0 {
        if let Some((_, address)) = line.split_once("http://") {
            return Some((address.trim().to_owned(), out.into_inner()));
        }
        line.clear();
    }
    None
}

/// A peer that runs. Dropped, it is told to end by SIGTERM, as its processes would stay behind otherwise.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) process: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = Command::new("kill").arg(self.process.id().to_string()).stderr(Stdio::null()).status();
        let told = Instant::now();
        while told.elapsed() < STOP && matches!(self.process.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn sh(script: &str) -> Peer {
        let start = ["sh", "-c", script].map(str::to_owned).to_vec();
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        Peer {
            name: "script".to_owned(),
            language: "sh".to_owned(),
            framework: "none".to_owned(),
            directory: here.clone(),
            build: Vec::new(),
            start,
            installed: here,
            scenarios: Vec::new(),
            lenient: Vec::new(),
            notes: String::new(),
        }
    }

    #[test]
    fn every_peer_is_there() {
        let peers = Peer::all().unwrap();
        let names: HashSet<_> = peers.iter().map(|peer| peer.name.as_str()).collect();
        assert!(names.len() == peers.len() && !peers.is_empty(), "{names:?}");
        for peer in &peers {
            assert!(peer.directory.is_dir(), "{peer:?}");
            assert!(!peer.build.is_empty() && !peer.start.is_empty() && !peer.scenarios.is_empty(), "{peer:?}");
        }
    }

    #[test]
    fn commands_are_found_where_they_were_built() {
        let manifest = r#"
            [[peer]]
            name = "one"
            language = "Rust"
            framework = "none"
            directory = "rust"
            build = ["cargo", "build"]
            start = ["{target}/release/one", "start"]
            installed = "{target}/release/one"
            scenarios = ["simple-get"]
            notes = ""
        "#;
        let folder = Path::new("/peers");
        let found = |target: Option<&str>| parse(manifest, folder, target.map(OsStr::new)).unwrap().remove(0);
        let peer = found(None);
        assert_eq!(peer.start, ["/peers/rust/target/release/one", "start"]);
        assert_eq!(peer.installed, Path::new("/peers/rust/target/release/one"));
        assert_eq!(peer.how_to_install(), "cd /peers/rust && cargo build");
        assert_eq!(found(Some("/target")).start[0], "/target/release/one");
        let by_name = manifest.replace("{target}/release/one\", ", "node\", ");
        assert_eq!(parse(&by_name, folder, None).unwrap()[0].start[0], "node");
        assert!(parse(&manifest.replace("notes", "note"), folder, None).is_err());
    }

    #[test]
    fn a_peer_is_told_what_to_do_and_ends() {
        let script =
            r#"echo starting; echo "at http://127.0.0.1:$PORT/$WORKERS/$DATABASE_URL"; exec tail -f /dev/null"#;
        let running = sh(script).start(3, Some("postgres:x")).unwrap();
        assert_eq!(running.address, "127.0.0.1:0/3/postgres:x");
        let process = PathBuf::from(format!("/proc/{}", running.process.id()));
        assert!(process.exists() || !Path::new("/proc").exists());
        drop(running);
        assert!(!process.exists());
    }

    #[test]
    fn a_peer_that_ends_without_an_address_is_an_error() {
        let error = sh("echo nothing").start(1, None).unwrap_err();
        assert_eq!(error.to_string(), "the peer `script` did not say where it listens");
    }
}
