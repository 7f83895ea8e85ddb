//! What holds the memory that is in use: profiles of jemalloc, for pprof or as a flame graph.
//!
//! The application says that it allocates so, since a library cannot:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: bunbase::Jemalloc = bunbase::Jemalloc;
//! # fn main() {}
//! ```
//!
//! and is started with `_RJEM_MALLOC_CONF=prof:true,prof_active:true,lg_prof_sample:19`: then about one allocation in half a mebibyte is
//! remembered with its stack. Without that it costs nothing.

use jemalloc_pprof::PROF_CTL;

use super::ProfileFormat;
use crate::{Error, Result};

/// Writes what is in use now, by who allocated it.
///
/// # Errors
/// 409 when the process was not started so that this is known; 500 when it cannot be written.
pub(crate) async fn dump(format: ProfileFormat) -> Result<Vec<u8>> {
    let unknown = || {
        let text = "who allocates what is not known: let `bunbase::Jemalloc` be the application's global allocator, and start it with \
                    `_RJEM_MALLOC_CONF=prof:true,prof_active:true,lg_prof_sample:19`";
        Error::new(409, "heap_profile_off", text)
    };
    let control = PROF_CTL.as_ref().ok_or_else(unknown)?;
    let mut control = control.lock().await;
    if !control.activated() {
        return Err(unknown());
    }
    let dumped = match format {
        ProfileFormat::Svg => control.dump_flamegraph(),
        ProfileFormat::Pprof => control.dump_pprof(),
    };
    dumped.map_err(|error| Error::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_it_is_not_known_it_says_what_to_do() {
        let error = dump(ProfileFormat::Pprof).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (409, "heap_profile_off"));
        assert!(error.detail().contains("_RJEM_MALLOC_CONF"), "{error}");
    }
}
