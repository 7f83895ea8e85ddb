//! What every backend must do.

mod administration;
mod claiming;
mod endings;
mod enqueueing;
mod groups;
mod upkeep;

use super::*;
