//! The doors of an action besides HTTP: what each of their keys says, checked.
//!
//! A file for each door has its syntax and those of its rules that need nothing else. What doors and fields must be to each other is in
//! `model`, and for structs in `bunbase::action::rules`.

mod cron;
mod event;
mod schedule;
mod tool;
mod webhook;

use proc_macro2::Ident;

pub(crate) use self::{
    event::{Event, Named, Order},
    schedule::Schedule,
    tool::Tool,
    webhook::{Webhook, join},
};
use crate::{entries::Entry, errors::Errors};

/// One door, checked.
pub(crate) enum Trigger {
    Webhook(Webhook),
    Event(Event),
    Schedule(Schedule),
    Tool(Tool),
}

impl Trigger {
    /// The keys of these doors.
    pub(crate) const KEYS: [&str; 5] = ["event", "cron", "every", "webhook", "tool"];

    /// Reads one entry whose key is one of [`Trigger::KEYS`]. What is wrong with it is reported.
    pub(crate) fn read(key: &str, entry: &Entry, errors: &mut Errors) -> Option<Self> {
        match key {
            "event" => event::read(entry, errors).map(Self::Event),
            "cron" => schedule::cron(entry, errors).map(Self::Schedule),
            "every" => schedule::every(entry, errors).map(Self::Schedule),
            "webhook" => webhook::read(entry, errors).map(Self::Webhook),
            _ => tool::read(entry, errors).map(Self::Tool),
        }
    }

    /// Returns the key, to underline it and to name it.
    pub(crate) fn key(&self) -> &Ident {
        match self {
            Self::Webhook(webhook) => &webhook.key,
            Self::Event(event) => &event.key,
            Self::Schedule(schedule) => &schedule.key,
            Self::Tool(tool) => &tool.key,
        }
    }

    /// Returns the type that names the event.
    pub(crate) fn event_type(&self) -> Option<&syn::Path> {
        match self {
            Self::Event(Event { named: Named::Type(path), .. }) => Some(path),
            _ => None,
        }
    }

    /// Returns whether two doors are the same but for what follows in their lists.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Event(one), Self::Event(other)) => one.named.written() == other.named.written(),
            (Self::Schedule(one), Self::Schedule(other)) => (&one.rule, &one.zone) == (&other.rule, &other.zone),
            _ => false,
        }
    }
}
