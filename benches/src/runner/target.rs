//! Servers in processes of their own.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::{self, Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Result, peers::Peer};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long it may take to end; under valgrind that is long.
const FAREWELL: Duration = Duration::from_mins(1);

/// Which server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The application of this program.
    Bunbase,
    /// The same by hand on actix-web, of this program.
    Twin,
    /// The application of another build of this program.
    Other(PathBuf),
    /// Another program with some of the endpoints.
    Peer {
        name: String,
        program: String,
        arguments: Vec<String>,
        /// Where it runs; among the servers' logs unless said.
        directory: Option<PathBuf>,
    },
}

/// What servers are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) workers: usize,
    pub(crate) database: Option<String>,
    pub(crate) redis: Option<String>,
    pub(crate) redis_prefix: String,
    /// The folder with what the twin answers for what is built in.
    pub(crate) documents: PathBuf,
    /// Where servers run, and their logs are.
    pub(crate) folder: PathBuf,
    /// Configuration keys of the application, `KEY=VALUE`.
    pub(crate) settings: Vec<String>,
}

impl Target {
    /// Reads the name of a peer in `benches/peers`, or `NAME=COMMAND`.
    pub(crate) fn peer(text: &str) -> Result<Self> {
        let Some((name, command)) = text.split_once('=') else {
            let known = Peer::all()?;
            let names: Vec<_> = known.iter().map(|peer| peer.name.as_str()).collect();
            let unknown = || format!("`{text}` is neither NAME=COMMAND nor one of {}", names.join(", "));
            let peer = known.iter().find(|peer| peer.name == text).ok_or_else(unknown)?;
            if !peer.is_installed() {
                return Err(format!("the peer `{text}` is not installed: {}", peer.how_to_install()).into());
            }
            return Ok(Self::known(peer));
        };
        let mut words = command.split_whitespace().map(str::to_owned);
        let program = words.next().ok_or_else(|| format!("`{text}` has no command"))?;
        // What is a file here is none in the folder that it runs in.
        let whole = |word: String| fs::canonicalize(&word).map_or(word, |path| path.display().to_string());
        Ok(Self::Peer { name: name.to_owned(), program, arguments: words.map(whole).collect(), directory: None })
    }

    /// Returns the peers of `benches/peers` that are installed, and says what is missing for the others.
    pub(crate) fn peers(mut say: impl FnMut(&str)) -> Result<Vec<Self>> {
        let (there, missing): (Vec<_>, Vec<_>) = Peer::all()?.into_iter().partition(Peer::is_installed);
        for peer in missing {
            say(&format!("the peer `{}` is left out, it is not installed: {}", peer.name, peer.how_to_install()));
        }
        for Peer { name, language, framework, notes, .. } in &there {
            say(format!("{name}: {language}, {framework}. {notes}").trim_end());
        }
        Ok(there.iter().map(Self::known).collect())
    }

    fn known(peer: &Peer) -> Self {
        let (program, arguments) = peer
            .start
            .split_first()
            .map_or_else(Default::default, |(program, arguments)| (program.clone(), arguments.to_vec()));
        Self::Peer { name: peer.name.clone(), program, arguments, directory: Some(peer.directory.clone()) }
    }

    /// Returns whether it is the application, with all of its endpoints.
    pub(crate) fn is_application(&self) -> bool {
        matches!(self, Self::Bunbase | Self::Other(_))
    }

    /// Returns its name in results.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Bunbase => "bunbase".to_owned(),
            Self::Twin => "twin".to_owned(),
            Self::Other(path) => path.display().to_string(),
            Self::Peer { name, .. } => name.clone(),
        }
    }

    /// Returns the command that starts it.
    pub(crate) fn command(&self, environment: &Environment) -> Result<Command> {
        let program = match self {
            Self::Other(path) => fs::canonicalize(path)?,
            Self::Bunbase | Self::Twin => std::env::current_exe()?,
            // It runs elsewhere, so a path is made whole; a name alone is looked for in PATH. A link stays one: Python finds its packages by where it is.
            Self::Peer { program, .. } if program.contains('/') => path::absolute(program)?,
            Self::Peer { program, .. } => program.into(),
        };
        let mut command = Command::new(program);
        self.describe(&mut command, environment);
        Ok(command)
    }

    /// Adds what the server is told to a command that ends with the program.
    pub(crate) fn describe(&self, command: &mut Command, environment: &Environment) {
        let Environment { workers, database, redis, redis_prefix, documents, folder, settings } = environment;
        match self {
            Self::Bunbase | Self::Other(_) => {
                command.args(["server", "bench"]).args(settings);
                if redis.is_some() {
                    command.arg(format!("redis.prefix={redis_prefix}"));
                }
            }
            Self::Twin => {
                command.args(["server", "twin"]);
            }
            Self::Peer { arguments, .. } => {
                command.args(arguments);
            }
        }
        let folder = match self {
            Self::Peer { directory: Some(directory), .. } => directory,
            _ => folder,
        };
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            // It is configured by what is said here alone.
            if text.starts_with("BUNBASE") || text.starts_with("OTEL_") || text.starts_with("DATABASE_") {
                command.env_remove(&name);
            }
        }
        command.env("PORT", "0").env("WORKERS", workers.to_string()).env("STATIC_DIR", documents).current_dir(folder);
        for (name, value) in [("DATABASE_URL", database), ("REDIS_URL", redis)] {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    /// Starts it, and returns when it listens.
    ///
    /// # Errors
    /// It ends or says nothing; the text has the end of its log.
    pub(crate) fn start(&self, environment: &Environment) -> Result<Server> {
        Server::start(self.command(environment)?, &self.name(), &environment.folder)
    }
}

/// A server that listens. It is killed when this is dropped.
pub(crate) struct Server {
    pub(crate) name: String,
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) base: String,
    log: PathBuf,
}

impl Server {
    /// Starts a command that writes its address to standard output.
    pub(crate) fn start(mut command: Command, name: &str, folder: &Path) -> Result<Self> {
        let file: String =
            name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        let log = folder.join(format!("{file}.log"));
        let began = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?).spawn()?;
        let out = child.stdout.take().ok_or("the server has no output")?;
        let mut server = Self { name: name.to_owned(), child, base: String::new(), log };
        let (send, receive) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut line = String::new();
            while out.read_line(&mut line).is_ok_and(|read| read > 0) {
                if let Some(address) = address(&line) {
                    // Whoever asked may have given up.
                    let _ = send.send(address);
                    break;
                }
                line.clear();
            }
            drop(send);
            // What it writes later is read, so that it never waits for that.
            let _ = std::io::copy(&mut out, &mut std::io::sink());
        });
        match receive.recv_timeout(PATIENCE.saturating_sub(began.elapsed())) {
            Ok(base) => server.base = base,
            Err(_) => return Err(server.complaint("does not say where it listens").into()),
        }
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns what is wrong, with the end of the log.
    pub(crate) fn complaint(&mut self, what: &str) -> String {
        let mut log = String::new();
        // A log that cannot be read says nothing.
        let _ = File::open(&self.log).and_then(|mut file| file.read_to_string(&mut log));
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(12)..].join("\n  ");
        let ended = match self.child.try_wait() {
            Ok(Some(status)) => format!(" and ended with {status}"),
            _ => String::new(),
        };
        format!("the server `{}` {what}{ended}; its log ends with:\n  {last}", self.name)
    }

    /// Says that it is still there.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn lives(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(_) => Err(self.complaint("is gone").into()),
        }
    }

    /// Asks it to end, and waits for that.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn stop(mut self) -> Result<ExitStatus> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let began = Instant::now();
        while status.success() && began.elapsed() < FAREWELL {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(self.complaint("does not end when it is told to").into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the address in a line.
fn address(line: &str) -> Option<String> {
    let rest = line.split_once("http://")?.1;
    let end = rest.find(|letter: char| letter.is_whitespace() || letter == '/').unwrap_or(rest.len());
    let host = rest.get(..end).filter(|host| !host.is_empty())?;
    Some(format!("http://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_line_of_any_kind() {
        assert_eq!(address("http://127.0.0.1:1234\n").as_deref(), Some("http://127.0.0.1:1234"));
        assert_eq!(address("  listening on http://127.0.0.1:1/docs and").as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(address("starting"), None);
        assert_eq!(address("http://"), None);
    }

    #[test]
    fn a_peer_is_a_name_and_a_command() {
        let Target::Peer { name, program, arguments, .. } = Target::peer("axum=./axum --port 0").unwrap() else {
            unreachable!("it is a peer")
        };
        assert_eq!((name.as_str(), program.as_str(), arguments.len()), ("axum", "./axum", 2));
        assert!(Target::peer("nobody").is_err() && Target::peer("axum= ").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_is_a_link_is_started_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("python");
        std::os::unix::fs::symlink("/bin/sh", &link).unwrap();
        let program = link.display().to_string();
        let peer = Target::Peer { name: "peer".to_owned(), program, arguments: Vec::new(), directory: None };
        assert_eq!(peer.command(&Environment::default()).unwrap().get_program(), link);
    }

    #[test]
    fn a_server_that_ends_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo there is no port >&2; exit 3"]);
        let error = Server::start(command, "a/b", folder.path()).err().unwrap().to_string();
        assert!(error.contains("there is no port") && error.contains("`a/b`"), "{error}");
    }

    #[test]
    fn a_server_is_told_to_end_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo http://127.0.0.1:1; exec sleep 60"]);
        let mut server = Server::start(command, "shell", folder.path()).unwrap();
        assert_eq!(server.base, "http://127.0.0.1:1");
        server.lives().unwrap();
        // By the signal, and not after the 60 seconds.
        assert_eq!(server.stop().unwrap().code(), None);
    }
}
