//! Tokio's console: what the tasks of this process do, told to whoever asks on this machine.

use std::{net::ToSocketAddrs, thread};

use console_subscriber::{ConsoleLayer, Server};
use tracing::{Metadata, Subscriber, subscriber::NoSubscriber};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::{Error, Result, config::Config};

/// Returns what watches tasks, where that is asked for. What it sees is served on a thread of its own as long as the process runs.
///
/// # Errors
/// 500 `console` when the address is none, or no thread starts.
pub(super) fn layer<S>(config: &Config) -> Result<Option<impl Layer<S> + use<S>>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let debug = &config.debug;
    if !debug.console {
        return Ok(None);
    }
    let failed = |what: &str| Error::new(500, "console", format!("`debug.console_addr` {what}"));
    let mut addresses =
        debug.console_addr.to_socket_addrs().map_err(|source| failed("is no address").caused_by(source))?;
    let address = addresses.next().ok_or_else(|| failed("is no address"))?;
    let (layer, server) = ConsoleLayer::builder().server_addr(address).build();
    let serving = thread::Builder::new().name("tokio-console".to_owned()).spawn(move || {
        // Its own tasks are nobody's business.
        if let Err(error) = tracing::subscriber::with_default(NoSubscriber::new(), || serve(server)) {
            tracing::warn!(error = &*error as &dyn std::error::Error, %address, "tokio's console is not served");
        }
    });
    serving.map_err(|source| failed("has no thread that serves it").caused_by(source))?;
    Ok(Some(layer.with_filter(filter_fn(is_of_runtime))))
}

fn serve(server: Server) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server.serve())
}

/// Returns whether tokio tells it of its tasks, timers and locks.
fn is_of_runtime(metadata: &Metadata<'_>) -> bool {
    let is_tokios = metadata.target().starts_with("tokio");
    is_tokios || if metadata.is_event() { metadata.target() } else { metadata.name() }.starts_with("runtime")
}
