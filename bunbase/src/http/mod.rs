//! The HTTP door, on actix-web. Nobody else names actix but `realtime`.
//!
//! Here: the route table, decoding of requests, answers and problems, the built-in endpoints, the server. Not here: what
//! happens between input and output (`invoke`). A request goes `service` → `table` → `endpoint` → `decode` → `invoke` →
//! `respond`; read `endpoint` first.
//!
//! One kind of answer is not ours. Bytes that are no HTTP request (a garbled request line or header, both `Content-Length` and
//! `Transfer-Encoding`, a head of more than 128 KiB or one that does not come within 5 s) are refused by actix-http's dispatcher before
//! there is a request: 400, 431 or 408 without a body and without `x-trace-id`, and the connection ends. It has no hook for another
//! answer. Whatever it can parse, mounted services and refused origins included, gets a problem with a trace id.

mod body;
pub(crate) mod builtin;
mod compress;
mod decode;
mod detach;
mod endpoint;
mod head;
mod health;
pub(crate) mod metrics;
mod mounts;
mod multipart;
mod plan;
mod problem;
mod proxies;
mod respond;
mod server;
mod service;
mod settings;
mod table;
mod upload;
mod webhook;

#[cfg(feature = "testing")]
pub(crate) use self::server::application;
pub use self::{
    endpoint::Endpoint,
    health::{Health, HealthCheck},
    mounts::Mounts,
    proxies::Proxies,
    server::{RunningServer, serve},
    settings::{CancelOnDisconnect, Cors, MultipartLimits, Settings},
    table::Table,
    upload::Upload,
};
