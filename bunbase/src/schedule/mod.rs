//! What recurs: schedules, and one tick of each at its time in the whole cluster.
//!
//! Here: rules of recurrence, the store of schedules, and the ticker that takes what is due. Not here: what a tick does; `app` makes
//! a job of it, in the transaction that takes the tick. May name: `db`, `clock`, `error`.

mod cron;
mod declare;
mod due;
mod entry;
mod postgres;
mod rule;
mod schedules;
mod sqlite;
mod store;
mod take;
#[cfg(test)]
mod tests;
mod ticker;
mod zone;

pub use self::{
    entry::{Entry, NewSchedule},
    rule::{Rule, RuleError},
    schedules::{Schedules, TakenTick},
    take::{OnTick, Tick},
    ticker::{Settings, Ticker},
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

impl Missed {
    /// Returns its name in the table, in listings and in attributes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }

    /// Returns what a name in the table means; the table refuses others.
    fn of(name: &str) -> Self {
        [Self::Once, Self::All].into_iter().find(|missed| missed.as_str() == name).unwrap_or_default()
    }
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

impl Overlap {
    /// Returns its name in the table, in listings and in attributes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::Allow => "allow",
        }
    }

    /// Returns what a name in the table means; the table refuses others.
    fn of(name: &str) -> Self {
        [Self::Queue, Self::Allow].into_iter().find(|overlap| overlap.as_str() == name).unwrap_or_default()
    }
}
