//! The peers: the endpoints of the benchmark, written by hand on other frameworks. `peers/peers.toml` lists them and says what is what.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

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
    #[cfg_attr(not(test), expect(dead_code, reason = "`check` reads it; the runner asks"))]
    pub(crate) scenarios: Vec<String>,
    /// What it does not refuse, other than the rest.
    #[serde(default)]
    #[expect(dead_code, reason = "`check` reads it")]
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

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
}
