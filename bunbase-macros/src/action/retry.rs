//! `retry(attempts = 3, backoff = exponential, base = "200ms", max = "30s", jitter = full)`.

use std::time::Duration;

use syn::{LitStr, ext::IdentExt};

use crate::{
    entries::{self, Entry, Value},
    errors::Errors,
    schema::values,
};

const KEYS: [&str; 5] = ["attempts", "backoff", "base", "max", "jitter"];
/// The words of `backoff`, and the variants of `Backoff`.
const BACKOFFS: [(&str, &str); 2] = [("exponential", "Exponential"), ("fixed", "Fixed")];
/// The words of `jitter`, and whether there is some.
const JITTERS: [(&str, bool); 2] = [("full", true), ("none", false)];
/// What `RetryPolicy::DEFAULT` has, to compare with it.
const BASE: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(30);

/// What differs from `RetryPolicy::DEFAULT`.
#[derive(Default)]
pub(crate) struct Retry {
    /// At least 1.
    pub(crate) attempts: Option<u32>,
    /// The variant of `Backoff`.
    pub(crate) backoff: Option<&'static str>,
    /// Not longer than `max`.
    pub(crate) base: Option<Duration>,
    pub(crate) max: Option<Duration>,
    pub(crate) jitter: Option<bool>,
}

impl Retry {
    /// Reads `retry(…)`; alone, it is the default.
    pub(crate) fn read(entry: &Entry, errors: &mut Errors) -> Option<Self> {
        let list = match &entry.value {
            Value::Flag => return Some(Self::default()),
            Value::List(tokens) => entries::parse(tokens.clone(), errors),
            Value::Expr(expr) => {
                errors.at(expr, "`retry` takes a list: `retry(attempts = 3, backoff = exponential)`");
                return None;
            }
        };
        let mut retry = Self::default();
        let (mut base, mut max) = (None, None);
        let mut seen: Vec<String> = Vec::new();
        for entry in &list {
            let key = entry.key.unraw().to_string();
            if seen.contains(&key) {
                errors.at(&entry.key, format!("`{key}` is here twice; keep one of them"));
                continue;
            }
            let taken = match key.as_str() {
                "attempts" => attempts(entry).map(|attempts| retry.attempts = Some(attempts)),
                "backoff" => entry.choice(&BACKOFFS).map(|backoff| retry.backoff = Some(backoff)),
                "base" => wait(entry, "200ms").map(|wait| base = Some(wait)),
                "max" => wait(entry, "30s").map(|wait| max = Some(wait)),
                "jitter" => entry.choice(&JITTERS).map(|jitter| retry.jitter = Some(jitter)),
                _ => Err(entries::unknown(&entry.key, &KEYS)),
            };
            errors.keep(taken);
            seen.push(key);
        }
        retry.waits(base, max, errors);
        Some(retry)
    }

    /// Joins the first and the longest wait.
    fn waits(&mut self, base: Option<(LitStr, Duration)>, max: Option<(LitStr, Duration)>, errors: &mut Errors) {
        self.base = base.as_ref().map(|(_, wait)| *wait);
        self.max = max.as_ref().map(|(_, wait)| *wait);
        let is_fixed = self.backoff == Some("Fixed");
        match (base, max) {
            (_, Some((text, _))) if is_fixed => errors.at(
                &text,
                "the waits of `backoff = fixed` are all `base` long: leave `max` out, or write `backoff = exponential`",
            ),
            // What never grows has no other end.
            (Some((_, base)), None) if is_fixed && base > MAX => self.max = Some(base),
            (Some((text, base)), None) if base > MAX => errors.at(
                &text,
                format!(
                    "the first wait {:?} is longer than the longest, which is \"30s\" unless said: add `max = …`",
                    text.value()
                ),
            ),
            (base, Some((text, max))) if max < base.as_ref().map_or(BASE, |(_, wait)| *wait) => {
                let base = base.map_or_else(|| "1s".to_owned(), |(text, _)| text.value());
                let message = format!(
                    "the longest wait {:?} is shorter than the first, {base:?}: write a longer `max`, or a shorter `base`",
                    text.value()
                );
                errors.at(&text, message);
            }
            _ => {}
        }
    }
}

fn attempts(entry: &Entry) -> syn::Result<u32> {
    let number = entry.number("3")?;
    match number.base10_parse::<i32>().ok().and_then(|attempts| u32::try_from(attempts).ok()) {
        Some(attempts) if attempts > 0 => Ok(attempts),
        _ => Err(syn::Error::new_spanned(
            &number,
            format!(
                "a run is tried at least once, the first time included: write `attempts = 1` or more, not {number}"
            ),
        )),
    }
}

fn wait(entry: &Entry, example: &str) -> syn::Result<(LitStr, Duration)> {
    let text = entry.text(&format!("{example:?}"))?;
    let wait = values::duration(&text.value()).map_err(|message| syn::Error::new_spanned(&text, message))?;
    Ok((text, wait))
}
