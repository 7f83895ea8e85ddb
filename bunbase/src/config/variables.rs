//! Reads the environment's variables and the `.env` file.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    time::Duration,
};

use super::{Problem, Source, Value, environment, found::Found, secret, setting::Setting, table::KEYS};

/// Names the configuration file.
pub(super) const FILE_VARIABLE: &str = "BUNBASE_CONFIG";

const PREFIX: &str = "BUNBASE__";

/// What the variables of OpenTelemetry begin with.
const OTEL: &str = "OTEL_";

/// What a variable's name ends with whose value is the path of a file with the setting: how secrets are mounted into containers.
const IN_FILE: &str = "_FILE";

/// Variables that concern the configuration, by name.
#[derive(Default)]
pub(super) struct Variables {
    process: BTreeMap<String, String>,
    dot_env: BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
}

impl Variables {
    /// Takes the process's variables; those that do not concern the configuration may be anything.
    pub(super) fn add_process<'a>(&mut self, variables: impl IntoIterator<Item = &'a (OsString, OsString)>) {
        for (name, value) in variables {
            let name = name.to_string_lossy();
            if !concerns_us(&name) {
                continue;
            }
            if let Some(value) = OsStr::to_str(value) {
                self.process.insert(name.into_owned(), value.to_owned());
            } else {
                let source = Source::Variable(name.into_owned());
                self.problems.push(Problem::new("", source, "is not UTF-8 text"));
            }
        }
    }

    /// Takes the text of a `.env` file. Of a variable that is in it twice the first counts, and one that the process has
    /// counts before both.
    pub(super) fn add_dot_env(&mut self, bytes: &[u8]) {
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.problems.push(Problem::new("", None, ".env is not UTF-8 text"));
            return;
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for entry in dotenvy::from_read_iter(text.as_bytes()) {
            match entry {
                Ok((name, value)) if concerns_us(&name) => {
                    self.dot_env.entry(name).or_insert(value);
                }
                Ok(_) => {}
                Err(error) => {
                    let source = Source::File { file: ".env".to_owned(), line: line_of(&error, text) };
                    let message = "cannot be read: write NAME=value, with quotes around a value that has spaces";
                    self.problems.push(Problem::new("", source, message));
                }
            }
        }
    }

    /// Returns a variable and where it came from; the process's counts before the file's.
    pub(super) fn get(&self, name: &str) -> Option<(&str, Source)> {
        let process = self.process.get(name).map(|value| (value.as_str(), Source::Variable(name.to_owned())));
        process.or_else(|| self.dot_env.get(name).map(|value| (value.as_str(), Source::DotEnv(name.to_owned()))))
    }

    /// Returns the settings, those that count more behind the others, and what is wrong with the names.
    pub(super) fn settings(&self) -> (Vec<Found>, Vec<Problem>) {
        let mut found = Vec::new();
        let mut problems = Vec::new();
        let in_file = |name: &str| Source::DotEnv(name.to_owned());
        collect(&self.dot_env, in_file, &mut found, &mut problems);
        collect(&self.process, |name| Source::Variable(name.to_owned()), &mut found, &mut problems);
        (found, problems)
    }
}

/// Returns the name of the variable for a key.
pub(super) fn variable_for(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase())
}

fn concerns_us(name: &str) -> bool {
    let is_customary = |name: &str| KEYS.iter().any(|key| key.variable == Some(name));
    name.starts_with("BUNBASE_") || is_customary(name) || name.strip_suffix(IN_FILE).is_some_and(is_customary)
}

/// Returns the value of a variable, or what is in the file that the variable of that name with `_FILE` names.
fn value_of(
    name: &str,
    variables: &BTreeMap<String, String>,
    source: impl Fn(&str) -> Source,
) -> Option<Result<(String, Source), Problem>> {
    let in_file = format!("{name}{IN_FILE}");
    let Some(path) = variables.get(&in_file) else {
        return variables.get(name).map(|value| Ok((value.clone(), source(name))));
    };
    let problem = |message: String| Problem::new("", source(&in_file), message);
    if variables.contains_key(name) {
        return Some(Err(problem(format!("is set, and so is {name}: unset one of them"))));
    }
    Some(match secret::in_file(path) {
        Ok(text) => Ok((text, source(&in_file))),
        Err(error) => Err(problem(format!("names the file {path:?}, which cannot be read: {error}"))),
    })
}

/// Returns the key of a variable with the prefix.
fn key_of(path: &str) -> String {
    path.to_ascii_lowercase().replace("__", ".")
}

fn collect(
    variables: &BTreeMap<String, String>,
    source: impl Fn(&str) -> Source,
    found: &mut Vec<Found>,
    problems: &mut Vec<Problem>,
) {
    // The customary names first: what is said to bunbase alone counts more.
    for key in KEYS {
        let Some(name) = key.variable else { continue };
        match value_of(name, variables, &source) {
            // To OpenTelemetry an empty variable is none, and times are in milliseconds.
            Some(Ok((value, _))) if name.starts_with(OTEL) && value.trim().is_empty() => {}
            Some(Ok((value, source))) => {
                let is_millis = name.starts_with(OTEL) && key.kind == <Duration as Setting>::KIND;
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let value = if is_millis && is_number { format!("{value}ms") } else { value };
                found.push(Found::new(key.name, Value::Text(value), source));
            }
            Some(Err(problem)) => problems.push(problem),
            None => {}
        }
    }
    let is_key = |key: &str| KEYS.iter().any(|known| known.name == key);
    for (name, value) in variables {
        if let Some(path) = name.strip_prefix(PREFIX) {
            let in_file = path.strip_suffix(IN_FILE).filter(|base| is_key(&key_of(base)) && !is_key(&key_of(path)));
            let Some(base) = in_file else {
                found.push(Found::new(&key_of(path), Value::Text(value.clone()), source(name)));
                continue;
            };
            match value_of(&format!("{PREFIX}{base}"), variables, &source) {
                Some(Ok((value, source))) => found.push(Found::new(&key_of(base), Value::Text(value), source)),
                Some(Err(problem)) => problems.push(problem),
                None => {}
            }
        } else if ![environment::VARIABLE, FILE_VARIABLE].contains(&name.as_str())
            && KEYS.iter().all(|key| key.variable != Some(name))
            && let Some(rest) = name.strip_prefix("BUNBASE_")
            && let Some(key) = KEYS.iter().find(|key| key.name.replace('.', "_").eq_ignore_ascii_case(rest))
        {
            let message =
                format!("is not read: write {}, with two underscores before each part", variable_for(key.name));
            let mut problem = Problem::new("", source(name), message);
            problem.suggestion = Some(key.name.to_owned());
            problems.push(problem);
        }
    }
}

/// Finds the line of an error, counted from 1. Its text is looked for since the parser does not count.
fn line_of(error: &dotenvy::Error, text: &str) -> usize {
    let offset = match error {
        dotenvy::Error::LineParse(part, _) => text.find(part.as_str()).unwrap_or(0),
        _ => 0,
    };
    1 + text[..offset].matches('\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn process(variables: &[(&str, &str)]) -> Variables {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut all = Variables::default();
        all.add_process(&variables);
        all
    }

    fn names(variables: &Variables) -> Vec<String> {
        variables.settings().0.iter().map(|found| format!("{}={}", found.path.join("."), found.source)).collect()
    }

    #[test]
    fn the_prefix_and_the_customary_names_are_read_and_others_left_alone() {
        let variables = process(&[("BUNBASE__HTTP__PORT", "1"), ("PORT", "2"), ("HOME", "/"), ("BUNBASE_UPDATE", "x")]);
        assert_eq!(names(&variables), ["http.port=PORT", "http.port=BUNBASE__HTTP__PORT"]);
        assert_eq!(variables.settings().1, []);
    }

    #[test]
    fn the_file_comes_before_the_process() {
        let mut variables = process(&[("PORT", "2")]);
        variables.add_dot_env(b"# mine\nBUNBASE__HTTP__PORT=\"1\"\nexport DATABASE_URL=sqlite:a # here\nOTHER=x\n");
        assert_eq!(
            names(&variables),
            ["database.url=DATABASE_URL in .env", "http.port=BUNBASE__HTTP__PORT in .env", "http.port=PORT"]
        );
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_without_its_text() {
        let mut variables = Variables::default();
        variables.add_dot_env(b"A=1\nDATABASE_URL=has spaces hunter2\nPORT=3\n");
        let shown = variables.problems[0].to_string();
        assert!(shown.starts_with(".env:2: cannot be read"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(variables.get("PORT").is_some());
    }

    #[test]
    fn a_value_may_be_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        std::fs::write(&file, "postgres://me:hunter2@db/app\n").unwrap();
        let path = file.to_str().unwrap();
        let variables = process(&[("DATABASE_URL_FILE", path), ("BUNBASE__REDIS__URL_FILE", path)]);
        let (found, problems) = variables.settings();
        assert_eq!(problems, []);
        assert_eq!(names(&variables), ["database.url=DATABASE_URL_FILE", "redis.url=BUNBASE__REDIS__URL_FILE"]);
        for setting in found {
            assert!(matches!(&setting.value, Value::Text(text) if text == "postgres://me:hunter2@db/app"));
        }
        // Settings of the application may end so.
        assert_eq!(
            names(&process(&[("BUNBASE__APPLICATION__CA_FILE", "/x")])),
            ["application.ca_file=BUNBASE__APPLICATION__CA_FILE"]
        );
    }

    #[test]
    fn a_file_that_is_not_there_and_a_value_twice_are_problems() {
        let (_, problems) = process(&[("BUNBASE_SECRET_FILE", "/nowhere/at/all")]).settings();
        let shown = problems[0].to_string();
        assert!(
            shown.starts_with("BUNBASE_SECRET_FILE: names the file \"/nowhere/at/all\", which cannot be read"),
            "{shown}"
        );
        let (_, problems) = process(&[("PORT", "1"), ("PORT_FILE", "/x")]).settings();
        assert_eq!(problems[0].to_string(), "PORT_FILE: is set, and so is PORT: unset one of them");
    }

    #[test]
    fn one_underscore_for_two_is_answered() {
        let (_, problems) = process(&[("BUNBASE_HTTP_PORT", "1")]).settings();
        assert!(problems[0].to_string().starts_with("BUNBASE_HTTP_PORT: is not read: write BUNBASE__HTTP__PORT"));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_a_problem_only_where_it_is_read() {
        use std::os::unix::ffi::OsStringExt as _;
        let bad = OsString::from_vec(vec![0xff]);
        let mut variables = Variables::default();
        variables.add_process(&[("PORT".into(), bad.clone()), ("HOME".into(), bad.clone()), (bad.clone(), bad)]);
        let shown: Vec<_> = variables.problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["PORT: is not UTF-8 text"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            Variables::default().add_dot_env(&bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text in "([A-C_=\"'$\\\\{}# \n]|PORT=|\\PC){0,60}") {
            Variables::default().add_dot_env(text.as_bytes());
        }

        #[test]
        fn no_name_makes_it_panic(name in "BUNBASE_(_|[A-Z.]|\\PC){0,12}") {
            let _ = process(&[(&name, "x")]).settings();
        }
    }
}
