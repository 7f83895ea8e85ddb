//! What was measured: a table as it comes, and JSON lines at the end.

use std::io::Write;

use serde_json::{Value, json};

use crate::Result;

/// The lines of JSON, and how the targets fared.
pub(crate) struct Report {
    bench: &'static str,
    lines: Vec<Value>,
    missed: Vec<String>,
    targets: usize,
}

impl Report {
    /// A report of the benchmark of this name.
    pub(crate) fn new(bench: &'static str) -> Self {
        Self { bench, lines: Vec::new(), missed: Vec::new(), targets: 0 }
    }

    /// Prints something for people.
    #[expect(clippy::unused_self, reason = "everything that is printed goes through the report")]
    pub(crate) fn note(&self, text: &str) -> Result<()> {
        Ok(writeln!(std::io::stdout(), "  {text}")?)
    }

    /// Takes in a number and prints it.
    pub(crate) fn add(&mut self, backend: &str, what: &str, value: f64, unit: &str) -> Result<()> {
        writeln!(std::io::stdout(), "{backend:<9} {what:<64} {} {unit}", short(value))?;
        self.lines.push(json!({ "bench": self.bench, "on": backend, "what": what, "value": value, "unit": unit }));
        Ok(())
    }

    /// Takes in a number that is to reach `least`, or not to pass it where `is_most`.
    pub(crate) fn target(&mut self, backend: &str, what: &str, (value, unit): (f64, &str), goal: Goal) -> Result<()> {
        let (is_met, sign, goal) = match goal {
            Goal::AtLeast(least) => (value >= least, '≥', least),
            Goal::AtMost(most) => (value <= most, '≤', most),
        };
        self.targets += 1;
        let verdict = if is_met { "met" } else { "MISSED" };
        writeln!(
            std::io::stdout(),
            "{backend:<9} {what:<64} {} {unit:<5} target {sign} {goal}: {verdict}",
            short(value)
        )?;
        if !is_met {
            self.missed.push(format!("{backend}: {what}"));
        }
        self.lines.push(json!({
            "bench": self.bench, "on": backend, "what": what, "value": value, "unit": unit, "target": format!("{sign} {goal}"),
            "is_met": is_met,
        }));
        Ok(())
    }

    /// Prints the JSON.
    pub(crate) fn finish(self) -> Result<()> {
        let mut out = std::io::stdout();
        writeln!(out, "\n{} of {} targets met", self.targets - self.missed.len(), self.targets)?;
        for missed in &self.missed {
            writeln!(out, "  missed: {missed}")?;
        }
        writeln!(out)?;
        for line in &self.lines {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// What a number is to be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:>9.0}") } else { format!("{value:>9.2}") }
}

/// Returns the one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Returns the value that this share of all stays below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a list"
)]
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}
