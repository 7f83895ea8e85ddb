//! What the doors besides HTTP ask of an action: no files and streams where there is no request, no caller where nobody calls.

use super::{equal, report::Report};
use crate::{
    action::{Action, Output},
    guard::Guard,
    schema::{Field, Source},
};

/// Holds where an action can run without a request: it takes no file and answers no stream. `door` is the key that says it should.
///
/// # Panics
/// Where it cannot: at compile time.
#[track_caller]
pub const fn carried<A: Action>(door: &str) {
    let name = A::META.name;
    let mut report = Report::NOTHING;
    if <A::Output as Output>::STREAM {
        report = report.line(&["`", name, "` answers a stream, which only a response can carry: leave out `", door]);
        report = report.add("`, or return a value");
    }
    files(report, A::FIELDS, name, door).tell();
}

/// Holds where an action can be a job.
///
/// # Panics
/// Where it takes a file or answers a stream: at compile time.
#[track_caller]
pub const fn job<A: Action>() {
    let name = A::META.name;
    let mut report = Report::NOTHING;
    if <A::Output as Output>::STREAM {
        report =
            report.line(&["`", name, "` answers a stream, so it cannot be a job: call it, or enqueue another action"]);
    }
    let mut index = 0;
    while index < A::FIELDS.len() {
        let field = &A::FIELDS[index];
        if is_file(field) {
            report = report.line(&["`", field.name, "` of `", name, "` is a file, so it cannot be a job: "]);
            report = report.add("take the content as `Base64`, or store it first");
        }
        index += 1;
    }
    report.tell();
}

/// Holds where the answer of an action can be stored and given again.
///
/// # Panics
/// Where it is a stream: at compile time.
#[track_caller]
pub const fn replayed<A: Action>() {
    if <A::Output as Output>::STREAM {
        let report =
            Report::NOTHING.line(&["`", A::META.name, "` answers a stream, which cannot be given a second time: "]);
        report.add("leave out `idempotent`, or return a value").tell();
    }
}

/// Holds where an answer can be kept.
///
/// # Panics
/// Where it is a stream: at compile time.
#[track_caller]
pub const fn cached<A: Action>() {
    if <A::Output as Output>::STREAM {
        let report = Report::NOTHING.line(&["`", A::META.name, "` answers a stream, which cannot be kept: "]);
        report.add("leave out `cache`, or return a value").tell();
    }
}

/// Holds where an input can be made of nothing. `door` is the key of the schedule.
///
/// # Panics
/// With every field that needs a value: at compile time.
#[track_caller]
pub const fn scheduled(fields: &[Field], door: &str, action: &str) {
    let mut report = Report::NOTHING;
    let mut index = 0;
    while index < fields.len() {
        let field = &fields[index];
        if field.required && !is_file(field) {
            report = report.line(&["`", door, "` runs `", action, "` without input, so `", field.name]);
            report = report.add("` needs a value of its own: make it an `Option`, or give it a `#[default(…)]`");
        }
        index += 1;
    }
    report.tell();
}

/// Holds where an event brings every field that an input cannot do without. An event that is no struct is not looked into.
///
/// # Panics
/// With every field that it does not bring: at compile time.
#[track_caller]
pub const fn delivered(fields: &[Field], event: Option<&[Field]>, name: &str, action: &str) {
    let Some(event) = event else { return };
    let mut report = Report::NOTHING;
    let mut index = 0;
    while index < fields.len() {
        let field = &fields[index];
        let mut found = !field.required || is_file(field);
        let mut other = 0;
        while other < event.len() {
            found |= equal(event[other].key, field.key);
            other += 1;
        }
        if !found {
            report = report.line(&["the event `", name, "` has no `", field.key, "`, which `", action, "` needs: "]);
            report = report.add("add the field to the event, or make it an `Option` here");
        }
        index += 1;
    }
    report.tell();
}

/// Returns whether a guard needs a caller, from the function that makes it.
pub const fn needs_caller<F: Fn() -> G, G: Guard>(_guard: &F) -> bool {
    G::NEEDS_CALLER
}

/// Holds where a guard lets a run pass that nobody called.
///
/// # Panics
/// Where it needs a caller: at compile time.
#[track_caller]
pub const fn unattended(needs_caller: bool, guard: &str, action: &str) {
    if needs_caller {
        uncalled(guard, action).add("leave it out here, and write an action of its own for the schedule").tell();
    }
}

/// The same for a `#[guard]` parameter of this type.
///
/// # Panics
/// Where its provider needs a caller: at compile time.
#[track_caller]
pub const fn unattended_parameter(needs_caller: bool, provider: &str, action: &str) {
    if needs_caller {
        let report = uncalled(provider, action).add("take `Option<").add(provider);
        report.add(">`, or write an action of its own for the schedule").tell();
    }
}

const fn uncalled(guard: &str, action: &str) -> Report {
    Report::NOTHING.line(&["`", guard, "` of `", action, "` needs a caller, and a schedule has none: "])
}

/// Adds the files among the fields.
const fn files(mut report: Report, fields: &[Field], action: &str, door: &str) -> Report {
    let mut index = 0;
    while index < fields.len() {
        let field = &fields[index];
        if is_file(field) {
            report = report.line(&["`", field.name, "` of `", action, "` is a file, which only a request can carry: "]);
            report = report.add("leave out `").add(door).add("`, or take the content as `Base64`");
        }
        index += 1;
    }
    report
}

const fn is_file(field: &Field) -> bool {
    field.file.is_some() || matches!(field.source, Source::File)
}
