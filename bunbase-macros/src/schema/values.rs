//! Values that attributes write as text: durations, sizes, names of headers and cookies, content types.

use std::time::Duration;

/// Reads `"30s"`: a whole number and one of `ms s m h d w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)) {
        Some(total) if millis != 0 => Ok(Duration::from_millis(total)),
        _ => Err(format!(
            "`{text}` is not a duration: write a whole number and a unit (ms, s, m, h, d, w), such as \"30s\""
        )),
    }
}

/// Reads `"5MB"`: a whole number and one of `B KB MB GB`, in powers of 1000, or `KiB MiB GiB`, in powers of 1024.
pub(crate) fn size_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let bytes = match unit {
        "B" => 1,
        "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(bytes)) {
        Some(total) if bytes != 0 => Ok(total),
        _ => Err(format!(
            "`{text}` is not a size: write a whole number and a unit (B, KB, MB, GB, KiB, MiB, GiB), such as \"5MB\""
        )),
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// Returns whether a text is a token of RFC 9110 section 5.6.2: the name of a header or of a cookie.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Returns whether a text is `type/subtype`; the subtype may be `*`.
pub(crate) fn is_content_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && kind != "*" && is_token(subtype))
}

/// Returns whether a text is in `snake_case`.
pub(crate) fn is_snake_case(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !text.ends_with('_')
        && !text.contains("__")
}

/// Writes `request_source` as `request-source`: the default name of a header, in the form in which it is sent.
pub(crate) fn header_name(field: &str) -> String {
    field.trim_matches('_').replace('_', "-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("7d"), Ok(Duration::from_hours(7 * 24)));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        for wrong in ["", "7", "d", "-1s", "1.5s", "1y", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!(size_bytes("5MB"), Ok(5_000_000));
        assert_eq!(size_bytes("1 KiB"), Ok(1024));
        for wrong in ["", "5", "MB", "5mb", "99999999999999999999GB"] {
            assert!(size_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_header_name_is_a_token() {
        assert!(is_token("X-Request-Source"));
        assert!(!is_token("X Request"));
        assert!(!is_token(""));
        assert!(!is_token("X:"));
    }

    #[test]
    fn a_code_is_in_snake_case() {
        assert!(is_snake_case("project_missing2"));
        for wrong in ["", "Project", "project-missing", "_x", "x_", "a__b", "2x"] {
            assert!(!is_snake_case(wrong), "{wrong}");
        }
    }
}
