//! Joins the sources into one [`Config`]: defaults, file, variables, code, command line; each counts more than those before.

use std::{
    ffi::OsString,
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::{
    Config, ConfigErrors, Environment, Problem, Source, Value, environment, file,
    found::{Found, is_application},
    rules, suggest,
    table::KEYS,
    variables::{FILE_VARIABLE, Variables},
};

const FILE: &str = "bunbase.toml";

/// The version of the package that this program is, where its `main` said so.
static VERSION: OnceLock<&str> = OnceLock::new();

/// Notes the version of the package that this program is; the first one counts.
pub(crate) fn note_version(version: &'static str) {
    // A second `main` would say the same.
    let _ = VERSION.set(version);
}

/// Reads the configuration: defaults, then `bunbase.toml`, then `.env` and the environment, then code, then the command
/// line; each counts more than those before it.
///
/// [`Loader::from_process`] reads what the process has. [`Loader::new`] reads nothing that it is not given, for tests:
///
/// ```
/// # use bunbase::config::Loader;
/// let config = Loader::new().file("http.port = 8080").variables([("PORT", "9090")]).load()?;
/// assert_eq!(config.http.port, 9090);
/// # Ok::<(), bunbase::config::ConfigErrors>(())
/// ```
#[derive(Clone, Default)]
pub struct Loader {
    directory: Option<PathBuf>,
    path: Option<PathBuf>,
    file: Option<Vec<u8>>,
    dot_env: Option<Vec<u8>>,
    variables: Vec<(OsString, OsString)>,
    given: Vec<Found>,
    arguments: Vec<Found>,
    name: Option<String>,
    version: Option<String>,
    debug_build: bool,
    development: bool,
    production: bool,
}

impl Loader {
    /// Starts with the defaults of a release build, without reading the process.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the working directory, the environment and the build of this process.
    ///
    /// The application is named after its binary, and has the version of its package if `main` is that of `#[bunbase::main]`, unless
    /// [`Loader::program`] says more. Nothing is read before
    /// [`Loader::load`], and no variable is ever set.
    #[must_use]
    pub fn from_process(mut self) -> Self {
        self.directory = Some(PathBuf::new());
        self.variables = std::env::vars_os().collect();
        self.debug_build = cfg!(debug_assertions);
        if self.name.is_none() {
            let binary = std::env::current_exe().ok();
            let stem = binary.as_deref().and_then(Path::file_stem);
            self.name = stem.map(|name| name.to_string_lossy().into_owned());
        }
        self.version = self.version.or_else(|| VERSION.get().map(|version| (*version).to_owned()));
        self
    }

    /// Names the configuration file, instead of `bunbase.toml` and `BUNBASE_CONFIG`. It has to be there.
    #[must_use]
    pub fn path(mut self, file: impl Into<PathBuf>) -> Self {
        self.path = Some(file.into());
        self
    }

    /// Sets the folder that `bunbase.toml` and `.env` are read from. Without one no file is read.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Gives the content of `bunbase.toml`, instead of reading it.
    #[must_use]
    pub fn file(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.file = Some(content.into());
        self
    }

    /// Gives the content of `.env`, instead of reading it.
    #[must_use]
    pub fn dot_env(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.dot_env = Some(content.into());
        self
    }

    /// Gives the environment's variables, instead of the process's.
    #[must_use]
    pub fn variables<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// Sets the defaults of `app.name` and `app.version`: the user's package.
    #[must_use]
    pub fn program(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self.version = Some(version.into());
        self
    }

    /// Says whether this is a debug build, which is in development as long as it listens on loopback.
    #[must_use]
    pub fn debug_build(mut self, debug_build: bool) -> Self {
        self.debug_build = debug_build;
        self
    }

    /// Asks for development, as the command `dev` does. `BUNBASE_ENV=production` still counts more.
    #[must_use]
    pub fn development(mut self) -> Self {
        self.development = true;
        self
    }

    /// Asks for production, as the command `check --production` does; it counts more than `BUNBASE_ENV`.
    #[must_use]
    pub fn production(mut self) -> Self {
        self.production = true;
        self
    }

    /// Sets a key from code; it counts more than files and variables.
    ///
    /// A wrong key or value is reported by [`Loader::load`], with everything else.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.given.push(Found::new(key, value.into(), Source::Code));
        self
    }

    /// Sets a key from a flag of the command line, such as `--port`; it counts more than everything else.
    #[must_use]
    pub fn argument(mut self, flag: impl Into<String>, key: &str, text: impl Into<String>) -> Self {
        self.arguments.push(Found::new(key, Value::Text(text.into()), Source::CommandLine(flag.into())));
        self
    }

    /// Reads everything and answers the configuration.
    ///
    /// # Errors
    /// Every problem of every source at once: unknown keys, wrong values, files that cannot be read, values that
    /// contradict each other.
    pub fn load(self) -> Result<Config, ConfigErrors> {
        let mut variables = Variables::default();
        variables.add_process(&self.variables);
        let mut problems = Vec::new();
        match self.optional(".env", self.dot_env.as_deref()) {
            Ok(Some(bytes)) => variables.add_dot_env(&bytes),
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }

        let mut found = self.read_file(&variables, &mut problems);
        let (settings, wrong_names) = variables.settings();
        found.extend(settings);
        problems.append(&mut variables.problems);
        problems.extend(wrong_names);
        found.extend(self.given.iter().chain(&self.arguments).cloned());

        let (environment, reason) = self.environment(&variables, &found, &mut problems);
        let mut config = Config::defaults(environment, reason);
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            config.app.name = name;
        }
        if let Some(version) = self.version.filter(|version| !version.is_empty()) {
            config.app.version = version;
        }
        for setting in found {
            if let Err(problem) = apply(&mut config, setting) {
                problems.push(problem);
            }
        }
        config.inherit();
        rules::check(&config, &mut problems);
        ConfigErrors::unless_empty(problems, config)
    }

    /// Reads `bunbase.toml`, or the file that the caller or `BUNBASE_CONFIG` names, which then has to be there.
    fn read_file(&self, variables: &Variables, problems: &mut Vec<Problem>) -> Vec<Found> {
        let (name, named_by) = match (&self.path, variables.get(FILE_VARIABLE)) {
            (Some(path), _) => (path.to_string_lossy().into_owned(), None),
            (None, Some((name, source))) => (name.to_owned(), Some(source)),
            (None, None) => match self.optional(FILE, self.file.as_deref()) {
                Ok(bytes) => {
                    let (found, wrong) = file::read(FILE, &bytes.unwrap_or_default());
                    problems.extend(wrong);
                    return found;
                }
                Err(problem) => {
                    problems.push(problem);
                    return Vec::new();
                }
            },
        };
        let path = self.path.as_deref().unwrap_or(Path::new(&name));
        match std::fs::read(self.directory.as_deref().unwrap_or(Path::new("")).join(path)) {
            Ok(bytes) => {
                let (found, wrong) = file::read(&name, &bytes);
                problems.extend(wrong);
                found
            }
            Err(error) => {
                let message = format!("the configuration file {name} cannot be read: {error}");
                problems.push(Problem::new("", named_by, message));
                Vec::new()
            }
        }
    }

    /// Returns the given content, or else that of a file in the directory; `None` when there is no such file.
    fn optional(&self, name: &str, given: Option<&[u8]>) -> Result<Option<Vec<u8>>, Problem> {
        if let Some(bytes) = given {
            return Ok(Some(bytes.to_vec()));
        }
        let Some(directory) = &self.directory else {
            return Ok(None);
        };
        match std::fs::read(directory.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Problem::new("", None, format!("{name} cannot be read: {error}"))),
        }
    }

    /// Chooses the environment; a wrong `BUNBASE_ENV` is a problem, and production until it is mended.
    fn environment(
        &self,
        variables: &Variables,
        found: &[Found],
        problems: &mut Vec<Problem>,
    ) -> (Environment, String) {
        let variable = variables.get(environment::VARIABLE);
        let host = found.iter().rev().find(|setting| setting.path == ["http", "host"]);
        let host = host.and_then(|setting| match &setting.value {
            Value::Text(text) | Value::String(text) => Some(text.as_str()),
            _ => None,
        });
        let facts = environment::Facts {
            variable: variable.as_ref().map(|(value, _)| *value),
            asked: self.development,
            asked_production: self.production,
            debug_build: self.debug_build,
            host,
        };
        environment::choose(&facts).unwrap_or_else(|message| {
            problems.push(Problem::new("", variable.map(|(_, source)| source), message));
            (Environment::Production, String::new())
        })
    }
}

/// Puts one setting into its place.
fn apply(config: &mut Config, setting: Found) -> Result<(), Problem> {
    let Found { path, value, source } = setting;
    let name = path.join(".");
    if is_application(&path) && path.len() > 1 && path.iter().all(|part| !part.is_empty()) {
        config.application.insert(&path[1..], value);
        config.sources.insert(name, source);
        return Ok(());
    }
    let Some(key) = KEYS.iter().find(|key| key.name == name) else {
        let number = match &value {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        };
        let (message, suggestion) = suggest::unknown(&name, &source, number);
        let mut problem = Problem::new(name, source, message);
        problem.suggestion = suggestion;
        return Err(problem);
    };
    match (key.assign)(config, &value) {
        Ok(()) => {
            config.sources.insert(name, source);
            Ok(())
        }
        Err(message) => Err(Problem::new(name, source, message)),
    }
}

impl fmt::Debug for Loader {
    /// Names what is there; the values may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("directory", &self.directory)
            .field("given", &self.given)
            .field("arguments", &self.arguments)
            .field("debug_build", &self.debug_build)
            .finish_non_exhaustive()
    }
}
