//! What a run gathers on its way, for its record.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tracing::Level;

use super::{Details, LogLine};

/// How many lines of one run are kept. The last tenth of them is for warnings and errors: what went wrong comes at the end.
const MOST_LINES: usize = 1000;

/// How much memory the lines of one run take, in bytes; likewise.
const MOST_BYTES: usize = 256 << 10;

/// What a run gathers; a lock and a pointer for one that gathers nothing.
#[derive(Default)]
pub struct Notes(Mutex<Option<Box<Gathered>>>);

#[derive(Default)]
struct Gathered {
    details: Details,
    bytes: usize,
    left_out: usize,
}

impl Notes {
    /// Keeps a line, unless the run has logged too much already.
    pub(super) fn log(&self, line: LogLine) {
        let mut notes = self.lock();
        let gathered = notes.get_or_insert_default();
        let share = if line.level <= Level::WARN { 10 } else { 9 };
        let bytes = gathered.bytes + line.weight();
        if gathered.details.lines.len() >= MOST_LINES * share / 10 || bytes > MOST_BYTES * share / 10 {
            gathered.left_out += 1;
            return;
        }
        gathered.bytes = bytes;
        gathered.details.lines.push(line);
    }

    /// Keeps the input.
    pub fn input(&self, json: String) {
        self.lock().get_or_insert_default().details.input = Some(json);
    }

    /// Keeps the output.
    pub fn output(&self, json: String) {
        self.lock().get_or_insert_default().details.output = Some(json);
    }

    /// Returns everything, and forgets it.
    pub fn take(&self) -> Option<Box<Details>> {
        let Gathered { mut details, left_out, .. } = *self.lock().take()?;
        if let (1.., Some(last)) = (left_out, details.lines.last()) {
            details.lines.push(LogLine {
                logged_at: last.logged_at,
                level: Level::WARN,
                target: "bunbase::runs".into(),
                message: format!("{left_out} more lines were logged, and are left out"),
                fields: None,
            });
        }
        Some(Box::new(details))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Gathered>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, length: usize) -> LogLine {
        LogLine { logged_at: chrono::Utc::now(), level, target: "t".into(), message: "x".repeat(length), fields: None }
    }

    #[test]
    fn too_many_lines_are_counted_and_the_end_is_left_to_what_went_wrong() {
        let notes = Notes::default();
        (0..2000).for_each(|_| notes.log(line(Level::INFO, 1)));
        notes.log(line(Level::ERROR, 1));
        let lines = notes.take().unwrap().lines;
        assert_eq!(lines.len(), 902);
        assert_eq!(lines[900].level, Level::ERROR);
        assert!(lines[901].message.starts_with("1100 more lines"), "{}", lines[901].message);
        assert!(notes.take().is_none());
    }

    #[test]
    fn long_lines_are_bounded_in_bytes() {
        let notes = Notes::default();
        (0..2000).for_each(|_| notes.log(line(Level::WARN, 4000)));
        let bytes: usize = notes.take().unwrap().lines.iter().map(LogLine::weight).sum();
        assert!((MOST_BYTES - 5000..MOST_BYTES + 1000).contains(&bytes), "{bytes}");
    }
}
