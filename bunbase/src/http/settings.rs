//! What the HTTP door needs from the configuration.

use std::time::Duration;

use super::{AnswerHeaders, Csrf, Hosts, Proxies, TlsFiles};

/// Limits and switches of the HTTP door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on.
    pub host: String,
    /// The port; 0 lets the system choose.
    pub port: u16,
    /// Worker threads; 0 is one a core.
    pub workers: usize,
    /// Largest body in bytes, where an action has no limit of its own.
    pub max_body_bytes: u64,
    /// Longest time until the first byte of an answer, where an action has no limit of its own; zero is none.
    pub request_timeout: Duration,
    /// Longest path and query in bytes.
    pub max_uri_bytes: u64,
    /// How long the head of a request, and the handshake before it, may take to come; zero is without limit.
    pub head_timeout: Duration,
    /// How long a body may take to come, and a second more for each [`BODY_BYTES_PER_SECOND`](super::BODY_BYTES_PER_SECOND); zero is without limit.
    pub body_timeout: Duration,
    /// How long a client may leave what it is sent untaken; zero is without limit, and so is any other system than Linux.
    pub send_timeout: Duration,
    /// How long a connection is kept without a request.
    pub keep_alive: Duration,
    /// How long the server goes on at shutdown although it is not ready, until whoever sends it requests has seen that.
    pub shutdown_delay: Duration,
    /// How long running requests may take to end at shutdown.
    pub shutdown_timeout: Duration,
    /// What happens to a run whose client leaves.
    pub cancel_on_disconnect: CancelOnDisconnect,
    /// Whether answers are compressed.
    pub compression: bool,
    /// Smallest answer in bytes that is compressed.
    pub compression_min_bytes: u64,
    /// Limits of forms.
    pub multipart: MultipartLimits,
    /// Cross-origin rules.
    pub cors: Cors,
    /// Whose word is taken for the address of the client, and for the scheme and the host that it used.
    pub proxies: Proxies,
    /// The certificate and its key; without them connections are not encrypted.
    pub tls: Option<TlsFiles>,
    /// The names that the server answers to.
    pub hosts: Hosts,
    /// Which pages may make requests that change something.
    pub csrf: Csrf,
    /// The headers of all answers.
    pub answers: AnswerHeaders,
    /// Whether requests that did not fail have a line in the log at `info`, or only at `debug`.
    pub logs_all: bool,
}

/// What happens to a run whose client leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CancelOnDisconnect {
    /// GET and HEAD stop; the others run to their end.
    #[default]
    Safe,
    /// All stop.
    Always,
    /// All run to their end.
    Never,
}

/// Limits of `multipart/form-data`.
#[derive(Clone, Copy, Debug)]
pub struct MultipartLimits {
    /// Most files in one form.
    pub max_files: usize,
    /// Most fields in one form, besides files.
    pub max_fields: usize,
    /// Largest file in bytes, where a field has no limit of its own.
    pub max_file_bytes: u64,
    /// Bytes of a file that are kept in memory; a larger one goes to a temporary file.
    pub memory_limit_bytes: u64,
}

/// Cross-origin rules; closed while `origins` is empty.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// Origins that may call, such as `https://app.example.com`; `*` for any.
    pub origins: Vec<String>,
    /// Whether cookies and `Authorization` may come along; only with listed origins.
    pub credentials: bool,
    /// Methods that may be used; empty is those of the framework.
    pub methods: Vec<String>,
    /// Request headers that may be sent; empty is `Content-Type`, `Authorization` and `traceparent`.
    pub headers: Vec<String>,
    /// Answer headers that scripts may read, besides `x-trace-id`.
    pub exposed_headers: Vec<String>,
    /// How long a browser may remember the rules.
    pub max_age: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 3000,
            workers: 0,
            max_body_bytes: 10 * 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            max_uri_bytes: 16 * 1024,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(20),
            send_timeout: Duration::from_mins(1),
            keep_alive: Duration::from_secs(75),
            shutdown_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(30),
            cancel_on_disconnect: CancelOnDisconnect::Safe,
            compression: true,
            compression_min_bytes: 1024,
            multipart: MultipartLimits {
                max_files: 10,
                max_fields: 100,
                max_file_bytes: 10 * 1024 * 1024,
                memory_limit_bytes: 256 * 1024,
            },
            cors: Cors::default(),
            proxies: Proxies::default(),
            tls: None,
            hosts: Hosts::All,
            csrf: Csrf::default(),
            answers: AnswerHeaders::default(),
            logs_all: true,
        }
    }
}
