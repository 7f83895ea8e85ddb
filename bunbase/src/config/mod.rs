//! Configuration: typed, from one table of keys, with every mistake listed at once.
//!
//! Here: the keys with their types, defaults and documentation ([`Config`], [`keys`], [`page`]), where values come from
//! ([`Loader`]), what is wrong with them ([`ConfigErrors`]), durations and sizes as text ([`duration`], [`size`]), and
//! whether this is development or production ([`Environment`]). Not here: what a value is used for. A new key is one entry
//! in `table.rs`; it enters only together with the code that reads it.

mod application;
mod check;
pub mod duration;
mod environment;
mod file;
mod found;
mod headers;
mod loader;
mod long_secret;
mod page;
mod problem;
mod reader;
mod rules;
mod secret;
mod sections;
mod setting;
pub mod size;
mod suggest;
mod table;
#[cfg(test)]
mod tests;
mod url;
mod value;
mod variables;

use std::collections::BTreeMap;

use application::Application;

pub(crate) use check::log_filter as check_log_filter;
pub use environment::Environment;
pub(crate) use environment::is_loopback;
pub use headers::Headers;
pub use loader::Loader;
pub(crate) use loader::note_version;
pub use long_secret::LongSecret;
pub(crate) use long_secret::derive;
pub use page::page;
pub use problem::{ConfigErrors, Problem, Source, UnitError};
pub use secret::Secret;
pub use sections::Key;
pub use setting::{
    Access, CancelOnDisconnect, DataBackend, EventTransport, FrameOptions, LogFormat, OnFailure, OtlpProtocol,
    RequestLog, ResourcePolicy, Revocation, SameSite, TenantIsolation, TenantSource, TraceSampler,
};
pub use size::ByteSize;
pub use table::{
    AppConfig, Config, CorsConfig, DatabaseConfig, DocsConfig, HealthConfig, HttpConfig, LogConfig, MultipartConfig,
    OpenapiConfig, TlsConfig,
};
pub use url::{ConnectionUrl, RedisUrl, redact};
pub use value::Value;

/// Where the health endpoints are: paths that no key may name.
pub(crate) const HEALTH_PATHS: [&str; 3] = ["/_health", "/_health/live", "/_health/ready"];

/// The ends of the paths below `debug.path`.
pub(crate) const DEBUG_ENDS: [&str; 5] = ["log", "log/level", "runtime", "cpu", "heap"];

/// Returns every key there is, in the order of the documentation.
pub fn keys() -> &'static [Key] {
    table::KEYS
}

impl Config {
    /// Returns where each value that is not a default came from, by key; those of `application` too.
    pub fn sources(&self) -> &BTreeMap<String, Source> {
        &self.sources
    }
}

impl Default for Config {
    /// The defaults of development, for tests.
    fn default() -> Self {
        let mut config = Self::defaults(Environment::Development, "the defaults, with nothing read".to_owned());
        config.inherit();
        config
    }
}
