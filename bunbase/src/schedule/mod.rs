//! What recurs: schedules, and one tick of each at its time in the whole cluster.
//!
//! Here: rules of recurrence, the store of schedules, and the ticker that takes what is due. Not here: what a tick does; `app` makes
//! a job of it, in the transaction that takes the tick. May name: `db`, `clock`, `error`.

mod cron;
mod rule;
mod zone;

pub use self::{
    rule::{Rule, RuleError},
    zone::Zone,
};

/// What happens to ticks that nobody took, because no instance was running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// Nothing. The default.
    #[default]
    Skip,
    /// One run for all of them.
    Once,
    /// One run for each, oldest first; at most 1000.
    All,
}

/// What happens when a tick comes while the run of an earlier one has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// The tick is left out. The default.
    #[default]
    Skip,
    /// The tick waits for it.
    Queue,
    /// Both run.
    Allow,
}
