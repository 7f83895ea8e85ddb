//! A stream cannot be kept.

use bunbase::prelude::*;

/// Streams.
#[action(get = "/stream", cache(ttl = "5m"))]
async fn stream() -> Result<ByteStream> {
    unimplemented!()
}

fn main() {}
