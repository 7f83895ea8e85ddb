//! What a hash costs whoever makes it, and whoever guesses.

use argon2::{Algorithm, Argon2, Params, Version};

use crate::{Error, Result};

/// What a hash costs.
///
/// The default is the least that OWASP recommends: 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet, section "Argon2id").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes, computed one after the other.
    pub lanes: u32,
}

impl Default for Costs {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl Costs {
    pub(super) fn hasher(self) -> Result<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None);
        let params = params.map_err(|error| Error::internal(format!("the costs of passwords: {error}")))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}
