//! Rules of cron, checked when the action is compiled.
//!
//! The grammar is the one that `bunbase::schedule` reads at run time, by the crate `croner`: Vixie cron with names, `L`, `W` and `#`.
//! It is written out here because a mistake is to be named by its field, with what to write instead; the tests hold it against that
//! crate, so that what compiles also starts.

use std::{fmt::Display, ops::RangeInclusive};

/// One field of a rule.
struct Field {
    name: &'static str,
    /// The numbers that it takes.
    bounds: RangeInclusive<u8>,
    /// The names of numbers, from the first on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", bounds: 0..=59, names: &[] },
    Field { name: "minute", bounds: 0..=59, names: &[] },
    Field { name: "hour", bounds: 0..=23, names: &[] },
    Field { name: "day", bounds: 1..=31, names: &[] },
    Field {
        name: "month",
        bounds: 1..=12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    // Sunday is 0 and 7.
    Field { name: "weekday", bounds: 0..=7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
];

/// How many days a month has at most.
const DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// What other systems call some rules.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * SUN"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Checks a rule and returns it with one space between its fields; else every mistake.
pub(super) fn check(rule: &str) -> Result<String, Vec<String>> {
    let written: Vec<&str> = rule.split_ascii_whitespace().collect();
    if let Some((_, same)) = NICKNAMES.iter().find(|(name, _)| rule.trim().eq_ignore_ascii_case(name)) {
        return Err(vec![format!("a rule is written out: for {rule:?} write {same:?}")]);
    }
    if !matches!(written.len(), 5 | 6) {
        let found = match written.len() {
            1 => "1 field".to_owned(),
            found => format!("{found} fields"),
        };
        return Err(vec![format!(
            "the rule {rule:?} has {found}: write minute, hour, day, month and weekday, such as \"0 2 * * *\", or six with the \
             second first"
        )]);
    }
    let mut mistakes = Vec::new();
    let read: Vec<Option<Values>> = FIELDS[6 - written.len()..]
        .iter()
        .zip(&written)
        .map(|(field, text)| match field.read(text) {
            Ok(values) => Some(values),
            Err(wrong) => {
                mistakes.extend(
                    wrong.into_iter().map(|wrong| format!("the rule {rule:?} has in its {} {wrong}", field.name)),
                );
                None
            }
        })
        .collect();
    if let [.., Some(days), Some(months), weekdays] = &read[..]
        && !comes(days, months, weekdays.as_ref().map_or("", |_| written[written.len() - 1]))
    {
        mistakes.push(format!("the rule {rule:?} never comes: none of its months has such a day"));
    }
    if mistakes.is_empty() { Ok(written.join(" ")) } else { Err(mistakes) }
}

/// What a field names.
#[derive(Default)]
struct Values {
    /// Its numbers.
    numbers: Vec<u8>,
    /// Whether it names something that every month has, such as its last day.
    always: bool,
}

/// Returns whether some month has some of the days. A weekday beside a day is another way for the rule to come, unless it has a `+`.
fn comes(days: &Values, months: &Values, weekday: &str) -> bool {
    let has = |month: &u8| {
        DAYS.get(usize::from(*month).wrapping_sub(1)).is_some_and(|last| days.numbers.iter().any(|day| day <= last))
    };
    let narrows = matches!(weekday, "*" | "?") || weekday.starts_with('+');
    days.always || !narrows || months.numbers.iter().any(has)
}

impl Field {
    /// Reads the field; else says what is wrong with each of its parts.
    fn read(&self, text: &str) -> Result<Values, Vec<String>> {
        let mut values = Values::default();
        let is_day = matches!(self.name, "day" | "weekday");
        if text == "*" || (is_day && text == "?") {
            values.numbers.extend(self.bounds.clone());
            return Ok(values);
        }
        let list = if self.name == "weekday" { text.strip_prefix('+').unwrap_or(text) } else { text };
        let wrong: Vec<String> =
            list.split(',').filter_map(|part| self.part(&part.to_ascii_uppercase(), &mut values).err()).collect();
        if wrong.is_empty() { Ok(values) } else { Err(wrong) }
    }

    /// Reads one part of the list.
    fn part(&self, part: &str, values: &mut Values) -> Result<(), String> {
        if part.is_empty() {
            return Err("an empty part: leave out the comma".to_owned());
        }
        if self.name == "day" {
            if matches!(part, "L" | "LW") {
                values.always = true;
                return Ok(());
            }
            if let Some(day) = part.strip_suffix('W') {
                values.numbers.push(self.number(day)?);
                return Ok(());
            }
        }
        let part = if self.name == "weekday" { occurrence(part)? } else { part };
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let step = step.map(|step| self.step(range, step)).transpose()?.unwrap_or(1);
        let (first, last) = match range.split_once('-') {
            _ if range == "*" && part != "*" => (*self.bounds.start(), *self.bounds.end()),
            Some((first, last)) => self.range(first, last)?,
            None => {
                let number = self.number(range)?;
                (number, number)
            }
        };
        values.numbers.extend((first..=last).step_by(step.into()));
        Ok(())
    }

    fn step(&self, range: &str, step: &str) -> Result<u8, String> {
        let number = plain(step).filter(|step| (1..=*self.bounds.end()).contains(step)).ok_or_else(|| {
            let (range, last) = (if range.is_empty() { "*" } else { range }, self.bounds.end());
            format!("`{range}/{step}`: the step is a number from 1 to {last}")
        })?;
        if range == "*" || range.contains('-') {
            return Ok(number);
        }
        Err(if range.is_empty() {
            format!("`/{step}`: write `*/{step}`")
        } else {
            format!("`{range}/{step}`, a step from one number on: write `{range}-{}/{step}`", self.bounds.end())
        })
    }

    fn range(&self, first: &str, last: &str) -> Result<(u8, u8), String> {
        let (from, to) = (self.number(first)?, self.number(last)?);
        // As the last day of a range Sunday is 7.
        let to = if last == "SUN" { 7 } else { to };
        if from <= to {
            return Ok((from, to));
        }
        let (start, end) = match self.names {
            [start, .., end] if plain(first).is_none() => ((*start).to_owned(), (*end).to_owned()),
            _ => (self.bounds.start().to_string(), self.bounds.end().to_string()),
        };
        Err(format!("`{first}-{last}`, which runs backwards: write `{first}-{end},{start}-{last}`"))
    }

    fn number(&self, text: &str) -> Result<u8, String> {
        let (first, last) = (*self.bounds.start(), *self.bounds.end());
        let named = self.names.iter().position(|name| *name == text).and_then(|at| u8::try_from(at).ok());
        let number = named.map(|at| at + first).or_else(|| plain(text));
        if let Some(number) = number.filter(|number| self.bounds.contains(number)) {
            return Ok(number);
        }
        let or_names = match self.names {
            [head, second, ..] => format!(", or a name: {head}, {second}, …"),
            _ => String::new(),
        };
        Err(format!("{}: write a number from {first} to {last}{or_names}", quoted(text)))
    }
}

/// Takes `#2`, `#L` and `L` off a weekday.
fn occurrence(part: &str) -> Result<&str, String> {
    let (days, which) = match (part.split_once('#'), part.strip_suffix('L')) {
        (Some((days, which)), _) => (days, which),
        (None, Some(day)) if !day.is_empty() && !day.contains(['-', '/']) => (day, "L"),
        _ => return Ok(part),
    };
    if which != "L" && !matches!(plain(which), Some(1..=5)) {
        return Err(format!("`{part}`: after the `#` write which of the month it is, 1 to 5, or `L` for the last"));
    }
    if days == "*" || days.contains('/') {
        return Err(format!("`{part}`: before the `#` write a weekday or a range of them, such as `MON-FRI`"));
    }
    Ok(days)
}

/// Reads digits and nothing else.
fn plain(text: &str) -> Option<u8> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

fn quoted(text: &str) -> impl Display {
    if text.is_empty() { "no number".to_owned() } else { format!("`{text}`") }
}

#[cfg(test)]
mod tests {
    use croner::parser::{CronParser, Seconds, Year};
    use proptest::prelude::*;

    use super::*;

    /// Reads a rule as the schedule does at run time, and looks for its first tick.
    fn starts(rule: &str) -> bool {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        parser.parse(rule).is_ok_and(|cron| cron.find_next_occurrence(&chrono::DateTime::UNIX_EPOCH, false).is_ok())
    }

    #[test]
    fn the_usual_rules_are_taken() {
        for rule in [
            "0 2 * * *",
            "*/5 * * * *",
            "30 0 2 * * *",
            "0,15,30-45/5 9-17 1 jan,JUL mon-fri",
            "0 0 ? * FRI-SUN",
            "0 0 L * ?",
            "0 0 LW,15W feb *",
            "0 0 * * 5#L,1#2,MON-FRI#1,5L",
            "0 0 1-7 * +MON",
            "0 0 29 2 *",
            "0 0 31 4 FRI",
            "0 0 * * 0-7",
        ] {
            assert_eq!(check(rule).as_deref(), Ok(rule));
            assert!(starts(rule), "{rule}");
        }
        assert_eq!(check("  0  2 * *\t*").as_deref(), Ok("0 2 * * *"));
    }

    #[test]
    fn every_mistake_names_its_field_and_what_to_write() {
        let mistakes: Vec<String> = [
            "",
            "0 2 * *",
            "0 0 2 * * * 2030",
            "@daily",
            "60 24 0 13 8",
            "*/0 5/10 /2 MAI MOO",
            "1,,2 22-6 -5 1- FRI-MON",
            "0 0 1L * L",
            "0 0 30,31W feb *",
            "0 0 31 4,6 +MON",
            "0 0 * * MON#6,*#2",
            "*,5 MON * SUN *",
            "+5 5.5 99999999999 * *",
        ]
        .into_iter()
        .flat_map(|rule| check(rule).unwrap_err())
        .collect();
        insta::assert_snapshot!(mistakes.join("\n"));
    }

    proptest! {
        #[test]
        fn what_is_taken_also_starts(
            rule in "([0-9]{1,2} )?([*]|[0-9]{1,2}([-/,][0-9]{1,2}){0,2}|[*]/[0-9]{1,2})( ([*?]|[0-9]{1,2}([-/,][0-9]{1,2}){0,2}|[*]/[0-9])){3} ([*?]|[+]?[0-7](-[0-7])?(#[1-5L])?|MON|fri-sun)",
        ) {
            // A `+` beside days can leave no day of any month; that is for start-up to find.
            prop_assume!(!rule.contains('+'));
            if let Ok(checked) = check(&rule) {
                prop_assert!(starts(&rule), "{}", rule);
                prop_assert_eq!(check(&checked), Ok(checked));
            }
        }

        #[test]
        fn what_starts_is_taken_unless_it_is_sloppy(
            rule in "[0-5]?[0-9](,[0-5]?[0-9]){0,2} ([*]|1?[0-9])(/[1-9])? ([*]|[1-9]-2[0-9]|L|15W) ([*]|[1-9]|JUN) ([*]|[0-7]|tue|MON-FRI#2|5L)",
        ) {
            // A step from one number on is refused by both.
            prop_assert_eq!(check(&rule).is_ok(), starts(&rule), "{}", rule);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", like in "[-0-9a-zA-Z*/,#LW?+@ ]{0,40}") {
            let _ = (check(&text), check(&like));
        }
    }
}
