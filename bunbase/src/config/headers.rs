//! Headers that are sent with telemetry: they carry the credentials, so they are never shown.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::{
    Value,
    setting::{Setting, items},
};

/// Headers of requests, by name. `Debug` hides their values; [`iter`](Self::iter) does not.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Returns names and values. Not for logs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reads `name=value`. In a variable, values are percent-encoded, as in W3C Baggage.
    fn pair(text: &str, is_encoded: bool) -> Result<(String, String), String> {
        const WRONG: &str =
            "must be headers as `name=value`, with commas between them in a variable; one of them is not";
        let (name, value) = text.split_once('=').ok_or(WRONG)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let value = if is_encoded {
            percent_decode_str(value).decode_utf8().map_err(|_| WRONG)?.into_owned()
        } else {
            value.to_owned()
        };
        let is_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
        let is_sendable = |c: u8| (b' '..=b'~').contains(&c);
        if name.is_empty() || !name.bytes().all(is_token) || !value.bytes().all(is_sendable) {
            return Err(WRONG.to_owned());
        }
        Ok((name, value))
    }
}

impl Setting for Headers {
    const KIND: &'static str = "list of `name=value`";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => items(text).map(|item| Self::pair(item, true)).collect::<Result<_, _>>().map(Self),
            Value::List(values) => values
                .iter()
                .map(|item| match item {
                    Value::String(text) | Value::Text(text) => Self::pair(text, false),
                    _ => Err("must be a list of strings, `[\"name=value\"]`".to_owned()),
                })
                .collect::<Result<_, _>>()
                .map(Self),
            // Not shown: it may be the credential itself.
            _ => Err("must be a list: put brackets around `\"name=value\"`".to_owned()),
        }
    }

    fn show(&self) -> String {
        if self.0.is_empty() { "[]".to_owned() } else { "[***]".to_owned() }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, _)| (name, "***"))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_from_variables_and_files_and_never_shown() {
        let text = Value::Text("Authorization=Bearer%20hunter2, x-team=a%2Cb".to_owned());
        let headers = Headers::read(&text).unwrap();
        let all: Vec<_> = headers.iter().collect();
        assert_eq!(all, [("authorization", "Bearer hunter2"), ("x-team", "a,b")]);
        let shown = format!("{headers:?} {}", headers.show());
        assert!(shown.contains("authorization") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(Headers::read(&vec!["a=100%"].into()).unwrap().iter().next(), Some(("a", "100%")));
    }

    #[test]
    fn what_is_no_header_is_refused_without_being_shown() {
        for wrong in ["hunter2", "=hunter2", "a b=hunter2", "a=hunter2%0A", "a=hunter2%FF"] {
            let message = Headers::read(&Value::Text(wrong.to_owned())).unwrap_err();
            assert!(message.contains("name=value") && !message.contains("hunter2"), "{message}");
        }
        assert!(Headers::read(&"a=b".into()).unwrap_err().contains("brackets"));
    }
}
