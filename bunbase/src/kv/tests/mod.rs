//! The room as a whole, on every backend.

mod conformance;
mod places;

use places::each;
