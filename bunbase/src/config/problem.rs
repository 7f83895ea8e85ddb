//! What is wrong with a configuration, and where each value came from.

use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A line of the configuration file.
    File {
        /// The file's name, as the user wrote it.
        file: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// A variable of the process environment.
    Variable(String),
    /// A variable from the `.env` file.
    DotEnv(String),
    /// The application's code.
    Code,
    /// A flag of the command line.
    CommandLine(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => write!(f, "{file}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::DotEnv(name) => write!(f, "{name} in .env"),
            Self::Code => f.write_str("code"),
            Self::CommandLine(flag) => f.write_str(flag),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The key as it was written; empty when a file cannot be read at all.
    pub key: String,
    /// Where the value came from; `None` when a rule between two keys is broken.
    pub source: Option<Source>,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// The key to write instead, when the key is the mistake.
    pub suggestion: Option<String>,
}

impl Problem {
    pub(super) fn new(key: impl Into<String>, source: impl Into<Option<Source>>, message: impl Into<String>) -> Self {
        Self { key: key.into(), source: source.into(), message: message.into(), suggestion: None }
    }
}

impl fmt::Display for Problem {
    /// One line: `bunbase.toml:12: `http.port` must be …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}` ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a configuration, at least one [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

impl ConfigErrors {
    /// Returns `value` when there are no problems.
    pub(super) fn unless_empty<T>(problems: Vec<Problem>, value: T) -> Result<T, Self> {
        if problems.is_empty() { Ok(value) } else { Err(Self(problems)) }
    }

    /// Returns the problems, in the order in which the sources are read.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for ConfigErrors {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for ConfigErrors {
    /// A line that counts the problems, then a line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigErrors> for crate::Error {
    /// An error whose text is the whole list: it is read at the start by whoever runs the program, never by a caller.
    fn from(errors: ConfigErrors) -> Self {
        Self::new(500, "configuration", errors.to_string())
    }
}

/// A duration or a size that cannot be read; the message says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    message: String,
}

impl UnitError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}
