//! What the macros submit at link time. Beside this, `inventory` is named where a door keeps its own table alone.

use std::fmt;

use crate::{
    action::{Action, ActionError, ActionMeta, ErrorDoc, ErrorVariant, ModuleMeta, Output, OutputDoc},
    guard::{DynGuard, GuardDoc},
    schema::{Field, Generator, Record},
};

/// One action, without its types.
#[derive(Clone, Copy)]
pub struct ActionEntry {
    /// What is known at compile time.
    pub meta: ActionMeta,
    /// The fields of its message.
    pub fields: &'static [Field],
    /// Describes its answer.
    pub output: fn(&mut Generator) -> OutputDoc,
    /// How it fails.
    pub errors: &'static [ErrorVariant],
    /// Whether it also fails in ways that `errors` does not list.
    pub open_errors: bool,
    /// Whether it also fails for causes that it does not tell.
    pub hidden_errors: bool,
    /// How its `check_input` refuses.
    pub check_errors: ErrorDoc,
    /// Makes its own guards.
    pub guards: fn() -> Vec<Box<dyn DynGuard>>,
    /// Describes its `#[guard]` parameters.
    pub providers: fn() -> Vec<GuardDoc>,
}

impl ActionEntry {
    /// Describes `A`.
    pub const fn of<A: Action>() -> Self {
        Self {
            meta: A::META,
            fields: <A as Record>::FIELDS,
            output: <A::Output as Output>::describe,
            errors: <A::Error as ActionError>::VARIANTS,
            open_errors: <A::Error as ActionError>::OPEN,
            hidden_errors: <A::Error as ActionError>::HIDES,
            check_errors: A::CHECK_ERRORS,
            guards: A::guards,
            providers: A::providers,
        }
    }
}

impl fmt::Debug for ActionEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionEntry").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// One `bunbase::module!`.
#[derive(Clone, Copy)]
pub struct ModuleEntry {
    /// What is known at compile time.
    pub meta: ModuleMeta,
    /// Makes its guards.
    pub guards: fn() -> Vec<Box<dyn DynGuard>>,
}

impl fmt::Debug for ModuleEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModuleEntry").field("meta", &self.meta).finish_non_exhaustive()
    }
}

inventory::collect!(ActionEntry);
inventory::collect!(ModuleEntry);

/// Returns all actions of the binary, in the order of their module paths and lines: link order changes between builds.
pub(super) fn actions() -> Vec<&'static ActionEntry> {
    let mut all: Vec<_> = inventory::iter::<ActionEntry>().collect();
    all.sort_by_key(|entry| (entry.meta.module_path, entry.meta.line, entry.meta.name));
    all
}

/// Returns all modules of the binary, outer ones first.
pub(super) fn modules() -> Vec<&'static ModuleEntry> {
    let mut all: Vec<_> = inventory::iter::<ModuleEntry>().collect();
    all.sort_by_key(|entry| (entry.meta.module_path, entry.meta.line));
    all
}
