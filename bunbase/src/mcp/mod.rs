//! Actions as tools of the Model Context Protocol, by its official Rust SDK.
//!
//! Here: what a tool tells of itself, calling it, how its answer and its errors look to a model, and the two transports: one
//! exchange over HTTP, and standard input and output. Not here: the web server that an exchange comes through (`http`), and what
//! happens between input and output (`invoke`). Read [`Server`] first.
//!
//! The newest revision that is spoken is 2026-07-28, which has no sessions; clients of older ones, back to 2024-11-05, are answered
//! in theirs. Every exchange over HTTP stands alone, so any instance can answer it.
//!
//! A client that is a web page of another origin needs `cors.origins`, and in `cors.headers` also `mcp-protocol-version`,
//! `mcp-method`, `mcp-name` and whatever guards ask for.
//!
//! A refusal, a wrong field and an error of the action are answers that a model can read and act upon: `isError`, and the problem
//! document as text. Only what is no call at all (no such tool, arguments that are no object) is an error of JSON-RPC.

mod answer;
mod over_http;
mod over_stdio;
mod schema;
mod server;
#[cfg(test)]
mod tests;
mod tool;

pub use self::{
    over_http::{Endpoint, Exchange},
    over_stdio::serve_stdio,
    server::{About, Server},
};
