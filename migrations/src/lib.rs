//! The tables that bunbase keeps for itself.
