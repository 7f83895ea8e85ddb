//! The HTTP door, on actix-web. Nobody else names actix but `realtime`.
//!
//! Here: the route table, decoding of requests, answers and problems, the built-in endpoints, the server. Not here: what
//! happens between input and output (`invoke`). A request goes `service` → `table` → `endpoint` → `decode` → `invoke` →
//! `respond`; read `endpoint` first.
//!
//! One kind of answer is not ours. Bytes that are no HTTP request (a garbled request line or header, both `Content-Length` and
//! `Transfer-Encoding`, a head of more than 128 KiB or 96 headers, a target of more than 64 KiB, a head that does not come within
//! `http.client_request_timeout`) are refused by actix-http's dispatcher before
//! there is a request: 400, 431 or 408 without a body and without `x-trace-id`, and the connection ends. It has no hook for another
//! answer. Whatever it can parse, mounted services and refused origins included, gets a problem with a trace id.

pub(crate) mod access;
mod body;
pub(crate) mod builtin;
mod compress;
mod csrf;
mod decode;
mod detach;
mod endpoint;
mod gate;
mod head;
mod health;
mod held;
mod hosts;
mod measure;
mod mounts;
mod multipart;
mod plan;
mod problem;
mod proxies;
mod respond;
mod security;
mod server;
mod service;
mod settings;
mod table;
mod tls;
mod traced;
mod upload;
mod webhook;

#[cfg(feature = "testing")]
pub(crate) use self::server::application;
pub use self::{
    body::BYTES_PER_SECOND as BODY_BYTES_PER_SECOND,
    csrf::Csrf,
    endpoint::Endpoint,
    health::{Health, HealthCheck, HealthFact},
    hosts::{Hosts, Listed},
    mounts::Mounts,
    proxies::Proxies,
    security::{AnswerHeaders, Policies},
    server::{RunningServer, Served, serve},
    settings::{CancelOnDisconnect, Cors, MultipartLimits, Settings},
    table::Table,
    tls::TlsFiles,
    upload::Upload,
};
