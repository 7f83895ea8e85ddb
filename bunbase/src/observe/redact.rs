//! What no log holds: credentials.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// What stands in the place of a value.
pub(crate) const LEFT_OUT: &str = "[sensitive]";

/// Names of fields and headers whose values are credentials, in lower case and with `_`.
const SECRETS: [&str; 16] = [
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "client_secret",
    "cookie",
    "id_token",
    "passwd",
    "password",
    "private_key",
    "proxy_authorization",
    "refresh_token",
    "secret",
    "set_cookie",
    "token",
    "x_api_key",
];

/// Returns whether a field or a header of this name holds a credential. Of a name with dots the last part counts.
pub(crate) fn is_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let is = |secret: &str| {
        let (name, secret) = (last.bytes(), secret.bytes());
        name.len() == secret.len()
            && name.zip(secret).all(|(a, b)| a.to_ascii_lowercase() == b || (a == b'-' && b == b'_'))
    };
    SECRETS.iter().any(|secret| is(secret))
}

/// Returns whether a header of this name holds a credential: as a field of its name would, or by its last word (`X-Gitlab-Token`).
pub(crate) fn is_secret_header(name: &str) -> bool {
    const LAST: [&str; 5] = ["apikey", "key", "password", "secret", "token"];
    // Says which of several calls one is, and opens nothing.
    const HARMLESS: &str = "idempotency-key";
    let last = name.rsplit(['-', '_']).next().unwrap_or_default();
    is_secret(name) || (LAST.iter().any(|word| last.eq_ignore_ascii_case(word)) && !name.eq_ignore_ascii_case(HARMLESS))
}

/// Returns a text without credentials that look like headers: `Authorization: …`, `"cookie": "…"`, `Bearer …`.
pub(crate) fn text(text: String) -> String {
    match cleaned(&text) {
        Cow::Owned(text) => text,
        Cow::Borrowed(_) => text,
    }
}

/// As [`text`]; one that has none is borrowed.
pub(crate) fn cleaned(text: &str) -> Cow<'_, str> {
    static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\\?["']?\s*[:=]\s*)(\\?"(?:[^"\\]|\\.)*"|[^\r\n]*)"#,
        )
        .ok()
    });
    static BEARER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\bbearer\s+[a-z0-9._~+/-]{8,}=*").ok());
    // What every pattern needs: most texts are short and have none of it.
    if !text.contains(|sign: char| sign == ':' || sign == '=' || sign.is_whitespace()) {
        return Cow::Borrowed(text);
    }
    let replace = |text: &str, pattern: &LazyLock<Option<Regex>>, with: &str| match &**pattern {
        Some(pattern) if pattern.is_match(text) => Some(pattern.replace_all(text, with).into_owned()),
        _ => None,
    };
    let text = replace(text, &HEADER, "$1$2[sensitive]").map_or(Cow::Borrowed(text), Cow::Owned);
    match replace(&text, &BEARER, "Bearer [sensitive]") {
        Some(replaced) => Cow::Owned(replaced),
        None => text,
    }
}

/// The longest text of a message or a field of a log line, in bytes.
pub(crate) const LONGEST: usize = 8 << 10;

/// Cuts off what is too long, at a character.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_credentials_are_known_in_every_spelling() {
        for name in
            ["authorization", "Authorization", "Set-Cookie", "x-api-key", "http.request.header.cookie", "PASSWORD"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["author", "cookies_eaten", "tokens", "page", ""] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_header_is_a_credential_by_its_last_word_too() {
        for name in ["X-Api-Key", "x-gitlab-token", "X-Shop-Secret", "Ocp-Apim-Subscription-Key", "cookie", "Token"] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["Idempotency-Key", "X-Hub-Signature-256", "webhook-id", "X-Token-Kind", "keys", ""] {
            assert!(!is_secret_header(name), "{name}");
        }
    }

    #[test]
    fn headers_in_texts_are_left_out_and_the_rest_stays() {
        for (given, left) in [
            ("GET /a\nAuthorization: Basic aHVudGVyMg==\nAccept: a", "GET /a\nAuthorization: [sensitive]\nAccept: a"),
            (r#"{"cookie": "a=hunter2; b=\"c\"", "host": "h"}"#, r#"{"cookie": [sensitive], "host": "h"}"#),
            ("sent Bearer eyJhbGciOi.abc-def, got 401", "sent Bearer [sensitive], got 401"),
            ("set-cookie=hunter2", "set-cookie=[sensitive]"),
            ("the bearer of this, and a cookie jar", "the bearer of this, and a cookie jar"),
        ] {
            assert_eq!(text(given.to_owned()), left);
        }
    }
}
