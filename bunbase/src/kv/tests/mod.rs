//! The room as a whole, on every backend.

mod conformance;
mod places;

pub(crate) use places::{Place, each};
