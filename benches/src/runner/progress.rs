//! What is going on: a line that is rewritten on a terminal, and a line for each step elsewhere.

use std::{
    io::{IsTerminal, Write, stdout},
    time::Duration,
};

/// How many letters the bar has.
const BAR: usize = 24;

/// Shows what is going on.
pub(crate) struct Progress {
    is_terminal: bool,
    /// Whether there is a line that the next one replaces.
    is_open: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_terminal: stdout().is_terminal(), is_open: false }
    }

    /// Says something that stays.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        // Nobody may be reading.
        let _ = writeln!(stdout(), "{text}");
    }

    /// Takes the line away that the next one would replace.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_open) {
            // To the first column, and the line away.
            let _ = write!(stdout(), "\r\x1b[K");
        }
    }

    /// Says what begins; on a terminal it is replaced by what comes next.
    pub(crate) fn step(&mut self, text: &str) {
        if self.is_terminal {
            self.clear();
            let _ = write!(stdout(), "{text}");
            let _ = stdout().flush();
            self.is_open = true;
        } else {
            let _ = writeln!(stdout(), "{text}");
        }
    }

    /// Says how far something is, on a terminal.
    pub(crate) fn update(&mut self, what: &str, elapsed: Duration, all: Duration, details: &str) {
        if self.is_terminal {
            let text = line(what, elapsed, all, details);
            self.step(&text);
        }
    }
}

/// Writes how far something is.
fn line(what: &str, elapsed: Duration, all: Duration, details: &str) -> String {
    let share = if all.is_zero() { 1.0 } else { (elapsed.as_secs_f64() / all.as_secs_f64()).min(1.0) };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a few letters"
    )]
    let filled = (share * BAR as f64) as usize;
    let bar: String = (0..BAR).map(|place| if place < filled { '█' } else { '░' }).collect();
    format!("{what}  {bar}  {:>3} of {} s  {details}", elapsed.as_secs().min(all.as_secs()), all.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_full_as_the_time_is_over() {
        let line = |elapsed| line("db-read 1/3", Duration::from_secs(elapsed), Duration::from_secs(30), "97 % CPU");
        assert_eq!(line(0).matches('█').count(), 0);
        assert_eq!(line(15).matches('█').count(), 12);
        assert_eq!(line(90).matches('█').count(), 24);
        assert!(line(90).contains(" 30 of 30 s  97 % CPU"), "{}", line(90));
    }
}
