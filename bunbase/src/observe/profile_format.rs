//! How a profile is written.

#[cfg(feature = "profiling")]
use std::path::Path;

use crate::{Error, Result};

/// How a profile is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileFormat {
    /// A flame graph.
    Svg,
    /// For `pprof` and whoever reads its format (<https://github.com/google/pprof/blob/main/proto/profile.proto>).
    Pprof,
}

impl ProfileFormat {
    /// # Errors
    /// 422 when there is none of this name.
    pub(crate) fn named(name: &str) -> Result<Self> {
        match name {
            "svg" => Ok(Self::Svg),
            "pprof" => Ok(Self::Pprof),
            _ => Err(Error::new(422, "query", "`format` is `svg` or `pprof`")),
        }
    }

    /// Chooses by the end of a file's name: `.svg` is a flame graph.
    #[cfg(feature = "profiling")]
    pub(crate) fn of_file(path: &Path) -> Self {
        if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("svg")) { Self::Svg } else { Self::Pprof }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Pprof => "application/octet-stream",
        }
    }
}
