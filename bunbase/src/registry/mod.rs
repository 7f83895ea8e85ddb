//! All actions linked into the binary.
//!
//! Here: collecting what the macros submitted, joining actions with their modules, and finding what cannot be right (duplicate
//! names, clashing routes) before the port opens. Not here: running an action (`invoke`), or how a door speaks.

mod check;
mod collect;
mod resolve;
#[cfg(test)]
mod tests;

pub use self::{
    check::{BuiltInPath, Mistakes},
    collect::{ActionEntry, ModuleEntry},
    resolve::{Registered, Registry, Route, WebhookRoute},
};
