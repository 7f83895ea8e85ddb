//! Standard input and output: one client, who started this process. A message is one line.

use std::future::Future;

use rmcp::{service::ServerInitializeError, transport::stdio_pipes};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::Server;
use crate::{Error, Result, context::Identity};

/// Serves the client at standard input and output until it closes the input or `stop` is over. Runs may then end within a few
/// seconds. Nothing else may write to standard output meanwhile.
///
/// # Errors
/// 500 when the client speaks another protocol from the start, or the output is gone.
pub async fn serve_stdio(server: &Server, identity: Identity, stop: impl Future<Output = ()>) -> Result<()> {
    serve(server, identity, stdio_pipes(), stop).await
}

/// Serves a client at any two streams.
pub(super) async fn serve(
    server: &Server,
    identity: Identity,
    streams: (impl AsyncRead + Send + Unpin + 'static, impl AsyncWrite + Send + Unpin + 'static),
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let stopping = CancellationToken::new();
    let serving = async {
        match rmcp::service::serve_server_with_ct(server.handler(identity), streams, stopping.clone()).await {
            Ok(service) => service.waiting().await.map(drop).map_err(Error::internal),
            // It left before it said anything, or was told to.
            Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
            Err(error) => Err(Error::internal(error)),
        }
    };
    tokio::pin!(serving);
    tokio::select! {
        result = &mut serving => return result,
        () = stop => stopping.cancel(),
    }
    serving.await
}
