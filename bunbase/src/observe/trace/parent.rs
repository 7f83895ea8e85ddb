//! What one process tells the next of a trace: the headers `traceparent` and `tracestate`.
//!
//! Source: W3C Trace Context, <https://www.w3.org/TR/trace-context/>.

use std::{fmt, sync::Arc};

use super::{SpanId, TraceId};

/// The most members that a `tracestate` may have.
const MOST_MEMBERS: usize = 32;

/// The longest `tracestate` that is handed on, in bytes: as much as everybody has to.
const LONGEST_STATE: usize = 512;

/// A place in a trace, below which a run begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The trace.
    pub trace: TraceId,
    /// The span that causes it; `None` where it begins the trace.
    pub span: Option<SpanId>,
    /// Whether the trace is recorded.
    pub sampled: bool,
    /// What others have written into `tracestate`. It is handed on as it came.
    pub state: Option<Arc<str>>,
    /// Whether the span is another process's.
    pub(crate) is_remote: bool,
}

impl Parent {
    /// Reads a `traceparent`; `None` where it is malformed, as the standard asks: then a trace begins.
    pub fn read(header: &str) -> Option<Self> {
        let header = header.as_bytes();
        let (version, rest) = (header.get(..2)?, header.get(2..55)?);
        let dashes = rest[0] == b'-' && rest[33] == b'-' && rest[50] == b'-';
        // A later version may be longer, after another dash; `ff` is no version.
        let length = header.len() == 55 || (version != b"00" && header.get(55) == Some(&b'-'));
        if !dashes || !length || version == b"ff" || !version.iter().all(|byte| digit(*byte).is_some()) {
            return None;
        }
        let [flags] = bytes(&rest[51..53])?;
        Some(Self {
            trace: TraceId::from_bytes(bytes(&rest[1..33])?)?,
            span: Some(SpanId::from_bytes(bytes(&rest[34..50])?)?),
            // Of the flags this is the one that version 00 knows.
            sampled: flags & 1 == 1,
            state: None,
            is_remote: true,
        })
    }

    /// Adds a `tracestate`, whose headers are one list. One that is malformed, longer than 512 bytes, or has more than 32 members is
    /// left out as a whole.
    #[must_use]
    pub fn with_state<'a>(self, headers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut headers = headers.into_iter();
        let state: Option<Arc<str>> = match (headers.next(), headers.next()) {
            (None, _) => None,
            (Some(one), None) => is_state(one).then(|| one.trim_matches([' ', '\t']).into()),
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(headers).collect::<Vec<_>>().join(",");
                is_state(&all).then(|| all.into())
            }
        };
        Self { state: state.filter(|state| !state.is_empty()), ..self }
    }

    /// Returns the `traceparent` that hands this place on.
    pub fn traceparent(&self) -> String {
        Traceparent { trace: self.trace, span: self.span.unwrap_or_else(SpanId::random), sampled: self.sampled }
            .to_string()
    }
}

/// A `traceparent`, to be written.
pub(crate) struct Traceparent {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) sampled: bool,
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-0{}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// Returns whether a `tracestate` may be handed on: `key=value` members with commas between them (section 3.3.1).
fn is_state(text: &str) -> bool {
    let members = || text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
    let is_member = |member: &str| member.split_once('=').is_some_and(|(key, value)| is_key(key) && is_value(value));
    text.len() <= LONGEST_STATE && members().count() <= MOST_MEMBERS && members().all(is_member)
}

/// A name, or a tenant's name `@` that of a system.
fn is_key(key: &str) -> bool {
    let is_rest =
        |text: &[u8]| text.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'));
    match key.split_once('@') {
        None => key.len() <= 256 && key.starts_with(|sign: char| sign.is_ascii_lowercase()) && is_rest(key.as_bytes()),
        Some((tenant, system)) => {
            let begins = tenant.starts_with(|sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit())
                && system.starts_with(|sign: char| sign.is_ascii_lowercase());
            begins
                && tenant.len() <= 241
                && system.len() <= 14
                && is_rest(tenant.as_bytes())
                && is_rest(system.as_bytes())
        }
    }
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=')
}

fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "12345678901234567890123456789012";

    /// The cases of `test/test.py` in <https://github.com/w3c/trace-context>, each under the name that it has there.
    #[test]
    fn headers_are_taken_and_refused_as_the_test_suite_of_the_standard_says() {
        for (name, header, is_valid) in [
            ("version_0x00", "00-12345678901234567890123456789012-1234567890123456-01", true),
            ("version_0x00, longer", "00-12345678901234567890123456789012-1234567890123456-01.", false),
            (
                "version_0x00, longer",
                "00-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
                false,
            ),
            ("version_0xcc", "cc-12345678901234567890123456789012-1234567890123456-01", true),
            (
                "version_0xcc, longer",
                "cc-12345678901234567890123456789012-1234567890123456-01-what-the-future-will-be-like",
                true,
            ),
            (
                "version_0xcc, longer",
                "cc-12345678901234567890123456789012-1234567890123456-01.what-the-future-will-not-be-like",
                false,
            ),
            ("version_0xff", "ff-12345678901234567890123456789012-1234567890123456-01", false),
            ("version_illegal_characters", ".0-12345678901234567890123456789012-1234567890123456-01", false),
            ("version_illegal_characters", "0.-12345678901234567890123456789012-1234567890123456-01", false),
            ("version_too_long", "000-12345678901234567890123456789012-1234567890123456-01", false),
            ("version_too_long", "0000-12345678901234567890123456789012-1234567890123456-01", false),
            ("version_too_short", "0-12345678901234567890123456789012-1234567890123456-01", false),
            ("trace_id_all_zero", "00-00000000000000000000000000000000-1234567890123456-01", false),
            ("trace_id_illegal_characters", "00-.2345678901234567890123456789012-1234567890123456-01", false),
            ("trace_id_illegal_characters", "00-1234567890123456789012345678901.-1234567890123456-01", false),
            ("trace_id_too_long", "00-123456789012345678901234567890123-1234567890123456-01", false),
            ("trace_id_too_short", "00-1234567890123456789012345678901-1234567890123456-01", false),
            ("parent_id_all_zero", "00-12345678901234567890123456789012-0000000000000000-01", false),
            ("parent_id_illegal_characters", "00-12345678901234567890123456789012-.234567890123456-01", false),
            ("parent_id_illegal_characters", "00-12345678901234567890123456789012-123456789012345.-01", false),
            ("parent_id_too_long", "00-12345678901234567890123456789012-12345678901234567-01", false),
            ("parent_id_too_short", "00-12345678901234567890123456789012-123456789012345-01", false),
            ("trace_flags_illegal_characters", "00-12345678901234567890123456789012-1234567890123456-.0", false),
            ("trace_flags_illegal_characters", "00-12345678901234567890123456789012-1234567890123456-0.", false),
            ("trace_flags_too_long", "00-12345678901234567890123456789012-1234567890123456-001", false),
            ("trace_flags_too_short", "00-12345678901234567890123456789012-1234567890123456-1", false),
            // Section 3.2.2.3 and 3.2.2.4: lower case.
            ("upper case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("not ASCII", "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01", false),
            ("nothing", "", false),
        ] {
            let parent = Parent::read(header);
            assert_eq!(parent.is_some(), is_valid, "{name}: {header}");
            if let Some(parent) = parent {
                assert_eq!(parent.trace.to_string(), TRACE, "{name}");
                assert_eq!((parent.span.unwrap().to_string().as_str(), parent.sampled), ("1234567890123456", true));
            }
        }
    }

    #[test]
    fn of_the_flags_the_lowest_says_whether_it_is_sampled() {
        for (flags, is_sampled) in
            [("00", false), ("01", true), ("02", false), ("03", true), ("fe", false), ("ff", true)]
        {
            let header = format!("00-{TRACE}-1234567890123456-{flags}");
            assert_eq!(Parent::read(&header).unwrap().sampled, is_sampled, "{flags}");
        }
    }

    fn state<const N: usize>(headers: [&str; N]) -> Option<String> {
        let parent = Parent::read(&format!("00-{TRACE}-1234567890123456-01")).unwrap().with_state(headers);
        parent.state.map(|state| state.to_string())
    }

    #[test]
    fn a_state_is_handed_on_as_it_came_or_left_out() {
        let key = |length: usize| "z".repeat(length);
        let tenant = |tenant: usize, system: usize| format!("{}@{}=1", "t".repeat(tenant), "v".repeat(system));
        let members =
            |count: usize| (0..count).map(|number| format!("bar{number:02}={number:02}")).collect::<Vec<_>>().join(",");
        for (name, header, is_valid) in [
            ("included", "foo=1,bar=2".to_owned(), true),
            ("ows_handling", "foo=1 \t , \t bar=2, \t baz=3".to_owned(), true),
            ("empty members", "foo=1,,bar=2,".to_owned(), true),
            ("all_allowed_characters", format!("{}=1", "abcdefghijklmnopqrstuvwxyz0123456789_-*/"), true),
            ("all_allowed_characters", "a= !\"#$%&'()*+-./0123456789:;<>?@[\\]^_`{|}~".to_owned(), true),
            ("key_illegal_characters", "foo =1".to_owned(), false),
            ("key_illegal_characters", "FOO=1".to_owned(), false),
            ("key_illegal_characters", "foo.bar=1".to_owned(), false),
            ("key_illegal_vendor_format", "foo@=1,bar=2".to_owned(), false),
            ("key_illegal_vendor_format", "@foo=1,bar=2".to_owned(), false),
            ("key_illegal_vendor_format", "foo@@bar=1,bar=2".to_owned(), false),
            ("key_illegal_vendor_format", "foo@bar@baz=1,bar=2".to_owned(), false),
            ("member_count_limit", members(32), true),
            ("member_count_limit", members(33), false),
            ("key_length_limit", format!("foo=1,{}=1", key(256)), true),
            ("key_length_limit", format!("foo=1,{}=1", key(257)), false),
            ("key_length_limit", tenant(241, 14), true),
            ("key_length_limit", tenant(242, 1), false),
            ("key_length_limit", tenant(1, 15), false),
            ("value_illegal_characters", "foo=bar=baz".to_owned(), false),
            ("value_illegal_characters", "foo=,bar=3".to_owned(), false),
            ("no value at all", "foo".to_owned(), false),
            ("longer than 512 bytes", format!("a={},b={}", key(256), key(256)), false),
        ] {
            assert_eq!(state([&header]), is_valid.then_some(header), "{name}");
        }
        assert_eq!(state([]), None);
        assert_eq!(state([""]), None);
        // test_tracestate_multiple_headers_different_keys
        assert_eq!(state(["foo=1", "bar=2", "congo=3"]).as_deref(), Some("foo=1,bar=2,congo=3"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(trace: u128, span: u64, sampled: bool) {
            let (Some(trace), Some(span)) = (TraceId::from_bytes(trace.to_be_bytes()), SpanId::from_u64(span)) else {
                return Ok(());
            };
            let parent = Parent { trace, span: Some(span), sampled, state: None, is_remote: true };
            prop_assert_eq!(Parent::read(&parent.traceparent()), Some(parent));
        }

        #[test]
        fn no_text_makes_it_panic(header: String, states: Vec<String>) {
            let _ = Parent::read(&header);
            let known = Parent::read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
            let _ = known.with_state(states.iter().map(String::as_str));
        }
    }
}
