//! Tables on the screen, and the same as Markdown.

use std::fmt::Write;

/// A table: a head, and rows with as many cells. Cells that begin with a digit, or with a sign and a digit, stand on the right.
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { head: head.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds a row. Cells that are missing are empty, and those beyond the head are left out.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns how wide each column is, in characters.
    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.head]).filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        (0..self.head.len()).map(width).collect()
    }

    /// Writes it with lines around its cells.
    pub(crate) fn boxed(&self) -> String {
        let widths = self.widths();
        let line = |[left, middle, right]: [&str; 3]| {
            let parts: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
            format!("{left}{}{right}\n", parts.join(middle))
        };
        let row = |cells: &[String]| {
            let mut text = String::from("│");
            for (cell, width) in cells.iter().zip(&widths) {
                // Writing to a `String` cannot fail.
                let _ = if is_number(cell) {
                    write!(text, " {cell:>width$} │")
                } else {
                    write!(text, " {cell:<width$} │")
                };
            }
            text + "\n"
        };
        let mut text = line(["┌", "┬", "┐"]) + &row(&self.head) + &line(["├", "┼", "┤"]);
        for cells in &self.rows {
            text += &row(cells);
        }
        text + &line(["└", "┴", "┘"])
    }

    /// Writes it as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let row = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = format!("|{}\n", "---|".repeat(self.head.len()));
        self.rows.iter().fold(row(&self.head) + &rule, |text, cells| text + &row(cells))
    }
}

fn is_number(cell: &str) -> bool {
    let digits = cell.trim_start_matches(['+', '-', '−']);
    digits.starts_with(|c: char| c.is_ascii_digit())
}

/// Writes a number with commas between thousands and without a fraction.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("-{text}") } else { text }
}

/// Writes milliseconds with as many digits as say something.
pub(crate) fn milliseconds(value: f64) -> String {
    match value {
        value if value < 1.0 => format!("{value:.2}ms"),
        value if value < 100.0 => format!("{value:.1}ms"),
        value => format!("{value:.0}ms"),
    }
}

/// Writes bytes as megabytes of a million.
pub(crate) fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.1} MB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["Scenario", "Throughput"]);
        table.row(["simple-get".to_owned(), "45,234 req/s".to_owned()]);
        table.row(["a|b".to_owned(), "7 req/s".to_owned()]);
        table
    }

    #[test]
    fn cells_are_aligned_and_numbers_stand_on_the_right() {
        let expected = "\
┌────────────┬──────────────┐
│ Scenario   │ Throughput   │
├────────────┼──────────────┤
│ simple-get │ 45,234 req/s │
│ a|b        │      7 req/s │
└────────────┴──────────────┘
";
        assert_eq!(table().boxed(), expected);
    }

    #[test]
    fn markdown_escapes_what_would_end_a_cell() {
        assert_eq!(
            table().markdown(),
            "| Scenario | Throughput |\n|---|---|\n| simple-get | 45,234 req/s |\n| a\\|b | 7 req/s |\n"
        );
    }

    #[test]
    fn a_row_has_as_many_cells_as_the_head() {
        let mut table = Table::new(["One"]);
        table.row([]);
        table.row(["1".to_owned(), "2".to_owned()]);
        assert_eq!(table.markdown(), "| One |\n|---|\n|  |\n| 1 |\n");
    }

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,568"],
            [0.0, 999.0, 1000.0, 1_234_567.8].map(thousands).each_ref().map(String::as_str)
        );
        assert_eq!(thousands(-1500.0), "-1,500");
        assert_eq!(["0.12ms", "2.1ms", "250ms"], [0.123, 2.1, 250.4].map(milliseconds).each_ref().map(String::as_str));
        assert_eq!(megabytes(24_560_000), "24.6 MB");
    }
}
