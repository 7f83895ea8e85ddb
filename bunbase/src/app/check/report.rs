//! Answers to the lines of the checklist, for people and for machines.

use std::fmt::Write as _;

use serde::Serialize;

/// What a line comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answer {
    /// It is so, or there is nothing to do; the fact says which.
    Yes,
    /// It is not so.
    No,
    /// Nothing that can be asked from here says it.
    Unknown,
}

/// What makes a `no` a `yes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Change {
    /// A key of the configuration, and what to set it to; in words where that is one's own to say.
    Key { key: &'static str, value: String },
    /// Statements for Postgres.
    Sql { sql: String },
    /// A command for Redis.
    Redis { command: String },
    /// A command line; `APP` is the application's binary.
    Command { command: String },
    /// A file of bunbase's documentation.
    File { file: &'static str },
    /// What is done elsewhere.
    Words { words: String },
}

/// A line of the checklist and its answer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    /// A name that stays as it is.
    pub(super) id: &'static str,
    /// In the guide's words where it is the guide's.
    #[serde(rename = "line")]
    pub(super) text: &'static str,
    /// Whether a `no` makes the command fail.
    pub(super) required: bool,
    pub(super) answer: Answer,
    /// What was looked at.
    pub(super) fact: String,
    /// What to do about it, the usual first.
    pub(super) how: Vec<Change>,
}

/// A line that is not answered yet.
#[derive(Clone, Copy)]
pub(super) struct Question {
    id: &'static str,
    line: &'static str,
    required: bool,
}

/// Begins a line that is good to have.
pub(super) const fn line(id: &'static str, line: &'static str) -> Question {
    Question { id, line, required: false }
}

/// Begins a line without which it is not safe to go on.
pub(super) const fn required(id: &'static str, line: &'static str) -> Question {
    Question { id, line, required: true }
}

impl Question {
    /// Returns whether a line answers this.
    pub(super) fn is_of(self, line: &Line) -> bool {
        self.id == line.id
    }

    pub(super) fn is(self, answer: Answer, fact: impl Into<String>) -> Line {
        let Self { id, line, required } = self;
        Line { id, text: line, required, answer, fact: fact.into(), how: Vec::new() }
    }

    pub(super) fn yes(self, fact: impl Into<String>) -> Line {
        self.is(Answer::Yes, fact)
    }

    pub(super) fn no(self, fact: impl Into<String>) -> Line {
        self.is(Answer::No, fact)
    }

    pub(super) fn unknown(self, fact: impl Into<String>) -> Line {
        self.is(Answer::Unknown, fact)
    }

    /// Is a `no` where something is wrong, and a `yes` otherwise.
    pub(super) fn yes_unless(self, is_wrong: bool, fact: impl Into<String>) -> Line {
        self.is(if is_wrong { Answer::No } else { Answer::Yes }, fact)
    }
}

impl Line {
    pub(super) fn key(self, key: &'static str, value: impl Into<String>) -> Self {
        self.how(Change::Key { key, value: value.into() })
    }

    pub(super) fn sql(self, sql: impl Into<String>) -> Self {
        self.how(Change::Sql { sql: sql.into() })
    }

    pub(super) fn redis(self, command: impl Into<String>) -> Self {
        self.how(Change::Redis { command: command.into() })
    }

    pub(super) fn command(self, command: impl Into<String>) -> Self {
        self.how(Change::Command { command: command.into() })
    }

    pub(super) fn file(self, file: &'static str) -> Self {
        self.how(Change::File { file })
    }

    pub(super) fn words(self, words: impl Into<String>) -> Self {
        self.how(Change::Words { words: words.into() })
    }

    fn how(mut self, change: Change) -> Self {
        self.how.push(change);
        self
    }

    fn fails(&self) -> bool {
        self.required && self.answer == Answer::No
    }
}

/// A part of the checklist.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) lines: Vec<Line>,
}

/// All answers.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) app: String,
    pub(super) version: String,
    /// Whether nothing is `no` that is required.
    pub(super) ok: bool,
    pub(super) yes: usize,
    pub(super) no: usize,
    pub(super) unknown: usize,
    pub(super) sections: Vec<Section>,
}

impl Report {
    pub(super) fn new(app: &str, version: &str, sections: Vec<Section>) -> Self {
        let count =
            |answer| sections.iter().flat_map(|section| &section.lines).filter(|one| one.answer == answer).count();
        let fails = sections.iter().flat_map(|section| &section.lines).any(Line::fails);
        Self {
            app: app.to_owned(),
            version: version.to_owned(),
            ok: !fails,
            yes: count(Answer::Yes),
            no: count(Answer::No),
            unknown: count(Answer::Unknown),
            sections,
        }
    }

    /// Returns the ids of what is required and `no`.
    pub(super) fn failing(&self) -> Vec<&'static str> {
        let lines = self.sections.iter().flat_map(|section| &section.lines);
        lines.filter(|line| line.fails()).map(|line| line.id).collect()
    }

    /// Writes the report for people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} {}, as it would be in production\n", self.app, self.version);
        for section in &self.sections {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "\n{}", section.name);
            for line in &section.lines {
                let answer = match line.answer {
                    Answer::Yes => "yes",
                    Answer::No if line.required => "NO, and required",
                    Answer::No => "no",
                    Answer::Unknown => "cannot know from here",
                };
                let _ = writeln!(text, "  {answer}: {}  [{}]", line.text, line.id);
                let _ = writeln!(text, "      {}", line.fact);
                // A `yes` has nothing to be changed; whoever wants to know has it as JSON.
                for change in line.how.iter().filter(|_| line.answer != Answer::Yes) {
                    let _ = writeln!(text, "      how: {}", change.text());
                }
            }
        }
        let _ = writeln!(text, "\n{} yes, {} no, {} cannot be known from here", self.yes, self.no, self.unknown);
        text
    }
}

impl Change {
    fn text(&self) -> String {
        match self {
            Self::Key { key, value } => format!("`{key}` = {value}"),
            Self::Sql { sql } => format!("SQL: {sql}"),
            Self::Redis { command } => format!("redis-cli {command}"),
            Self::Command { command } => command.clone(),
            Self::File { file } => format!("see {file}"),
            Self::Words { words } => words.clone(),
        }
    }
}

/// Writes an amount of memory in the largest unit of 1024 that leaves a number before the point.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some((unit, shift)) = units.into_iter().find(|(_, shift)| bytes >= 1 << shift) else {
        return format!("{bytes} B");
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}

/// Names the first few, and how many more there are.
pub(super) fn some(names: &[String]) -> String {
    const MOST: usize = 5;
    let shown = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
