//! A cache: what can be made again, kept for a while so that it need not be.
//!
//! Here: [`Cache`], one load of a key at a time, in this process and among all that share the store, and tags to invalidate by. Not
//! here: where values are (`kv`), and what must not be lost (nothing may be kept here alone). May name: `kv`, `observe`, `clock`, `error`.
//!
//! An entry is a line about the value and the value as JSON. Whoever loads claims the key by writing that into its entry, and
//! exchanges exactly this for the value in the end: a key that was removed meanwhile is not set to what was read before. Tags
//! are values of their own that change when they are invalidated; an entry names those that were there before its load began,
//! and is none when they are not there any more. So losing a tag costs a load and shows nothing old.

mod entry;
mod flight;
mod handle;
mod load;
mod lookup;
mod measure;
#[cfg(test)]
mod tests;

pub use self::{
    handle::{Cache, Settings, Uncommitted},
    lookup::Lookup,
};
