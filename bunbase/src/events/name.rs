//! What an event may be called.

use crate::{Error, Result};

/// The longest name, in bytes.
const LONGEST: usize = 200;

/// Returns whether a text is a name: words of lower-case letters, digits, `_` and `-` with dots between them, at most 200 bytes.
///
/// ```
/// # use bunbase::events::is_valid_name;
/// assert!(is_valid_name("task.created") && is_valid_name("order-2.paid_out"));
/// assert!(!is_valid_name("Task.created") && !is_valid_name("task..created") && !is_valid_name(""));
/// ```
#[must_use]
pub const fn is_valid_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() > LONGEST {
        return false;
    }
    // A dot is allowed behind a sign of a word only, and so is the end.
    let (mut at, mut in_word) = (0, false);
    while at < bytes.len() {
        in_word = match bytes[at] {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => true,
            b'.' if in_word => false,
            _ => return false,
        };
        at += 1;
    }
    in_word
}

/// # Errors
/// 500 `event_name` when it is none: names are the application's own.
pub(super) fn check(name: &str) -> Result<()> {
    if is_valid_name(name) {
        return Ok(());
    }
    let text = format!(
        "`{name}` is no name of an event; write words of lower-case letters, digits, `_` and `-` with dots between them, at \
         most {LONGEST} bytes: `task.created`"
    );
    Err(Error::new(500, "event_name", text.clone()).caused_by(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_with_dots_between_them_are_names() {
        for name in ["a", "task.created", "a.b.c", "-", "_.9", &"x".repeat(200)] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", ".", "a.", ".a", "a..b", "A", "a b", "ä", "a\0", "a/b", &"x".repeat(201)] {
            assert!(!is_valid_name(name), "{name}");
            assert_eq!(check(name).unwrap_err().code(), "event_name");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_words_say(text in "[a-c._-]{0,12}|.{0,12}") {
            let is_word = |word: &str| {
                !word.is_empty()
                    && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
            };
            prop_assert_eq!(is_valid_name(&text), text.split('.').all(is_word));
        }
    }
}
