//! The programs that send requests. Here: how they are found, called and understood. Not here: what is sent (`scenario`), and what it means.

mod oha;
mod wrk;

use std::{
    env, fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::result::Load;
use crate::Result;

/// What one run sends.
#[derive(Clone, Debug)]
pub(crate) struct Shot<'a> {
    /// Where to; each request takes one of them by chance.
    pub(crate) urls: Vec<String>,
    pub(crate) method: &'a str,
    pub(crate) headers: Vec<(String, String)>,
    /// The file with the body.
    pub(crate) body: Option<PathBuf>,
    pub(crate) connections: usize,
    /// Requests on a connection that do not wait for each other.
    pub(crate) pipelining: usize,
    pub(crate) duration: Duration,
    /// Requests a second of all connections together; as many as possible where there is none.
    pub(crate) rate: Option<u64>,
    /// Where the tool may write.
    pub(crate) folder: &'a Path,
}

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    Oha,
    Wrk,
}

/// A program that is there.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    kind: Kind,
    path: PathBuf,
}

impl Tool {
    /// Finds a program, or installs it where it can.
    ///
    /// # Errors
    /// It is not there and cannot be installed; the text says how to do that.
    pub(crate) fn find_or_install(kind: Kind) -> Result<Self> {
        if let Some(tool) = Self::find(kind) {
            return Ok(tool);
        }
        match kind {
            Kind::Oha => Ok(Self { kind, path: oha::install(&tools_folder()?)? }),
            Kind::Wrk => Err("`wrk` is not there. Install it by `apt-get install wrk` (Debian, Ubuntu) or `brew install wrk` (macOS), or \
                leave out what needs it: --tool wrk, and --pipelining above 1."
                .into()),
        }
    }

    /// Finds a program that is there.
    pub(crate) fn find(kind: Kind) -> Option<Self> {
        let name = kind.name();
        let own = tools_folder().ok().map(|folder| folder.join("bin"));
        let folders = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
        let path = folders.into_iter().chain(own).map(|folder| folder.join(name)).find(|path| path.is_file())?;
        Some(Self { kind, path })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Returns its name and version.
    pub(crate) fn version(&self) -> String {
        // `wrk` says it only together with its help, and fails then.
        let said = Command::new(&self.path).arg(if self.kind == Kind::Wrk { "-v" } else { "--version" }).output();
        let said = said.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let words: Vec<&str> = said.lines().next().unwrap_or_default().split_whitespace().take(2).collect();
        if words.is_empty() { self.name().to_owned() } else { words.join(" ") }
    }

    /// Begins to send.
    pub(crate) fn start(&self, shot: &Shot<'_>) -> Result<Running> {
        let mut command = Command::new(&self.path);
        match self.kind {
            Kind::Oha => oha::arguments(&mut command, shot)?,
            Kind::Wrk => wrk::arguments(&mut command, shot)?,
        }
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Running { kind: self.kind, child: command.spawn()?, is_over: false })
    }

    /// Sends, and returns what came of it.
    pub(crate) fn run(&self, shot: &Shot<'_>) -> Result<Load> {
        self.start(shot)?.finish()
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Oha => "oha",
            Self::Wrk => "wrk",
        }
    }
}

/// A program that sends. It is stopped when this is dropped.
pub(crate) struct Running {
    kind: Kind,
    child: Child,
    is_over: bool,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, and returns what it says.
    pub(crate) fn finish(mut self) -> Result<Load> {
        let (mut said, mut complaint) = (String::new(), String::new());
        // What it complains of is short, so that it never waits for somebody to read it.
        if let Some(mut out) = self.child.stdout.take() {
            out.read_to_string(&mut said)?;
        }
        if let Some(mut err) = self.child.stderr.take() {
            err.read_to_string(&mut complaint)?;
        }
        let status = self.child.wait()?;
        self.is_over = true;
        let name = self.kind.name();
        if !status.success() {
            return Err(format!("`{name}` ended with {status}: {}", complaint.trim()).into());
        }
        let load = match self.kind {
            Kind::Oha => oha::read(&said),
            Kind::Wrk => wrk::read(&said),
        };
        load.map_err(|error| format!("what `{name}` wrote is not understood: {error}").into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            // It may have ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Returns where the runner installs programs: `tools`, in the folder that this one was built in.
fn tools_folder() -> Result<PathBuf> {
    let program = env::current_exe()?;
    // target/release/bunbase-benches, and target/release/deps/bunbase_benches-… for its tests.
    let mut folders = program.ancestors().skip(1).filter(|folder| !folder.ends_with("deps"));
    let target = folders.nth(1).ok_or("the program is in no folder of cargo's")?;
    Ok(target.join("tools"))
}

/// Writes a file into the folder of a shot.
fn write(shot: &Shot<'_>, name: &str, text: &str) -> Result<PathBuf> {
    let path = shot.folder.join(name);
    fs::File::create(&path)?.write_all(text.as_bytes())?;
    Ok(path)
}
