//! The HTTP door, on actix-web. Nobody else names actix but `realtime`.
//!
//! Here: the route table, decoding of requests, answers and problems, the built-in endpoints, the server. Not here: what
//! happens between input and output (`invoke`). A request goes `service` → `table` → `endpoint` → `decode` → `invoke` →
//! `respond`; read `endpoint` first.

mod body;
pub(crate) mod builtin;
mod compress;
mod decode;
mod detach;
mod endpoint;
mod head;
mod health;
mod mounts;
mod multipart;
mod plan;
mod problem;
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
    server::{RunningServer, serve},
    settings::{CancelOnDisconnect, Cors, MultipartLimits, Settings},
    table::Table,
    upload::Upload,
};
