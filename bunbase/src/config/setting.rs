//! The types that a key may have: how each reads a [`Value`] and prints itself for the documentation.

use std::time::Duration;

use super::{ByteSize, UnitError, Value, duration, size};

/// A type that a configuration key may have.
pub(super) trait Setting: Sized {
    /// What the documentation calls the type.
    const KIND: &'static str;

    /// Reads a value; an error completes the sentence "`key` …".
    fn read(value: &Value) -> Result<Self, String>;

    /// Prints the value as it would stand in `bunbase.toml`.
    fn show(&self) -> String;
}

fn expected(what: &str, value: &Value) -> String {
    format!("must be {what}, not {}", value.describe())
}

/// Joins a parser's message and the text that it is about.
fn with_text(error: &UnitError, value: &Value) -> String {
    format!("{error} (it is {})", value.describe())
}

impl Setting for String {
    const KIND: &'static str = "string";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) | Value::String(text) => Ok(text.clone()),
            other => Err(expected("a string", other)),
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Setting for bool {
    const KIND: &'static str = "boolean";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Boolean(flag) => Ok(*flag),
            Value::Text(text) => text.trim().parse().map_err(|_| expected("`true` or `false`", value)),
            other => Err(expected("`true` or `false`", other)),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// `auto` leaves it to be found out.
impl Setting for Option<bool> {
    const KIND: &'static str = "boolean, or `auto`";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(word) | Value::String(word) if word.trim() == "auto" => Ok(None),
            other => bool::read(other).map(Some).map_err(|_| expected("`true`, `false` or `\"auto\"`", other)),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "\"auto\"".to_owned(), Setting::show)
    }
}

macro_rules! integers {
    ($($integer:ty)+) => {$(
        impl Setting for $integer {
            const KIND: &'static str = "integer";

            fn read(value: &Value) -> Result<Self, String> {
                let number = match value {
                    Value::Integer(number) => Some(*number),
                    Value::Text(text) => text.trim().parse::<i128>().ok(),
                    _ => None,
                };
                number.and_then(|number| number.try_into().ok()).ok_or_else(|| {
                    expected(&format!("a whole number from {} to {}", <$integer>::MIN, <$integer>::MAX), value)
                })
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}
integers!(u16 u32 usize u64);

impl Setting for f64 {
    const KIND: &'static str = "number";

    fn read(value: &Value) -> Result<Self, String> {
        let number = match value {
            Value::Float(number) => Some(*number),
            // A whole number is one too; configuration has none that a float could not hold.
            Value::Integer(number) => i32::try_from(*number).ok().map(Self::from),
            Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| number.is_finite()).ok_or_else(|| expected("a number", value))
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

impl Setting for Vec<f64> {
    const KIND: &'static str = "list of numbers";

    fn read(value: &Value) -> Result<Self, String> {
        let wrong = |item: &Value| expected("a list of numbers", item);
        match value {
            Value::Text(text) => {
                let numbers =
                    items(text).map(|item| f64::read(&Value::Text(item.to_owned())).map_err(|_| wrong(value)));
                numbers.collect()
            }
            Value::List(values) => values.iter().map(|item| f64::read(item).map_err(|_| wrong(item))).collect(),
            other => Err(wrong(other)),
        }
    }

    fn show(&self) -> String {
        let numbers: Vec<_> = self.iter().map(Setting::show).collect();
        format!("[{}]", numbers.join(", "))
    }
}

impl Setting for Duration {
    const KIND: &'static str = "duration";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) | Value::String(text) => duration::parse(text).map_err(|error| with_text(&error, value)),
            Value::Integer(0) => Ok(Self::ZERO),
            Value::Integer(number) if *number > 0 => Err(duration::without_unit(number).to_string()),
            other => Err(expected("a duration like \"30s\"", other)),
        }
    }

    fn show(&self) -> String {
        format!("{:?}", duration::print(*self))
    }
}

/// `0` stands for "no limit".
impl Setting for Option<Duration> {
    const KIND: &'static str = "duration, or 0";

    fn read(value: &Value) -> Result<Self, String> {
        Duration::read(value).map(|duration| (!duration.is_zero()).then_some(duration))
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "0".to_owned(), Setting::show)
    }
}

impl Setting for ByteSize {
    const KIND: &'static str = "size";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) | Value::String(text) => size::parse(text).map_err(|error| with_text(&error, value)),
            Value::Integer(number) => match u64::try_from(*number) {
                Ok(0) => Ok(Self::default()),
                Ok(number) => Err(size::without_unit(number).to_string()),
                Err(_) => Err(expected("a size like \"10MB\"", value)),
            },
            other => Err(expected("a size like \"10MB\"", other)),
        }
    }

    fn show(&self) -> String {
        format!("{:?}", self.to_string())
    }
}

/// In a variable, the items are separated by commas.
impl Setting for Vec<String> {
    const KIND: &'static str = "list of strings";

    fn read(value: &Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => Ok(items(text).map(str::to_owned).collect()),
            Value::List(values) => {
                values.iter().map(|item| String::read(item).map_err(|_| expected("a list of strings", item))).collect()
            }
            Value::String(_) => Err(format!("must be a list: put brackets around {}", value.describe())),
            other => Err(expected("a list of strings", other)),
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// Splits a variable's text at its commas; empty items are left out.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Declares an enum whose values are words.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        $name:ident { $( $(#[doc = $doc:literal])+ $variant:ident = $word:literal, )+ }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[doc = $doc])+ $variant, )+
        }

        impl $name {
            /// Returns the word for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )+
                }
            }
        }

        impl Setting for $name {
            const KIND: &'static str = concat!("one of" $(, " `", $word, "`")+);

            fn read(value: &Value) -> Result<Self, String> {
                match value {
                    $( Value::Text(word) | Value::String(word) if word == $word => Ok(Self::$variant), )+
                    other => Err(expected(Self::KIND, other)),
                }
            }

            fn show(&self) -> String {
                format!("{:?}", self.as_str())
            }
        }
    };
}

words! {
    /// What happens to a run when its client leaves.
    CancelOnDisconnect {
        /// GET and HEAD are cancelled; other methods run to their end.
        Safe = "safe",
        /// Every method is cancelled.
        Always = "always",
        /// Every method runs to its end.
        Never = "never",
    }
}

words! {
    /// How instances hear of each other's events.
    EventTransport {
        /// By `NOTIFY` of Postgres. On SQLite each process looks by itself, and a broadcast stays in it.
        Database = "database",
        /// By a stream of Redis.
        Redis = "redis",
    }
}

words! {
    /// How log lines look.
    LogFormat {
        /// Coloured lines for a person.
        Pretty = "pretty",
        /// One JSON object a line, for a collector.
        Json = "json",
    }
}

words! {
    /// How telemetry is sent.
    OtlpProtocol {
        /// Protobuf over HTTP, on port 4318 as a rule.
        Http = "http/protobuf",
        /// gRPC, on port 4317 as a rule. Needs the feature `otlp-grpc`.
        Grpc = "grpc",
    }
}

words! {
    /// Which traces are recorded.
    TraceSampler {
        /// All.
        AlwaysOn = "always_on",
        /// None.
        AlwaysOff = "always_off",
        /// A share, whatever the caller does.
        Ratio = "traceidratio",
        /// What the caller records, and all that begin here.
        ParentOn = "parentbased_always_on",
        /// What the caller records, and none that begin here.
        ParentOff = "parentbased_always_off",
        /// What the caller records, and a share of those that begin here.
        ParentRatio = "parentbased_traceidratio",
    }
}

words! {
    /// Where values, locks or cached answers are kept.
    DataBackend {
        /// In Redis where `redis.url` is set; otherwise where the service says.
        Auto = "auto",
        /// In the memory of each process, apart from all others.
        Memory = "memory",
        /// In the database.
        Sql = "sql",
        /// In Redis.
        Redis = "redis",
    }
}

words! {
    /// How tenants are kept apart.
    TenantIsolation {
        /// There are none.
        Off = "off",
        /// In shared tables with policies.
        Rows = "rows",
        /// In schemas of their own.
        Schema = "schema",
        /// In databases of their own.
        Database = "database",
    }
}

words! {
    /// Where a request says its tenant.
    TenantSource {
        /// In a header.
        Header = "header",
        /// In the name that it was sent to.
        Subdomain = "subdomain",
        /// In a parameter of the path.
        Path = "path",
        /// It is the organisation of whoever is signed in.
        Session = "session",
    }
}

words! {
    /// With which requests of other sites a browser sends a cookie.
    SameSite {
        /// With none.
        Strict = "strict",
        /// When somebody follows a link.
        Lax = "lax",
        /// With all of them; the cookie must be secure.
        None = "none",
    }
}

words! {
    /// How soon a session that was ended is refused.
    Revocation {
        /// Never: a token is good until it expires. Nothing is kept anywhere.
        Off = "off",
        /// Everywhere within five seconds, and at once by the instance that ended it. A request costs no I/O.
        Eventual = "eventual",
        /// Everywhere at once: each request asks.
        Immediate = "immediate",
    }
}

words! {
    /// Who may see a page that is built in.
    Access {
        /// Everybody.
        Public = "public",
        /// Who sends the token, and everybody at an `admin.addr` on loopback.
        Token = "token",
        /// As with the token at `admin.addr`, and nobody elsewhere.
        Admin = "admin",
        /// Nobody.
        Off = "off",
    }
}

words! {
    /// Which requests have a line in the log.
    RequestLog {
        /// All of them.
        All = "all",
        /// Those that were answered with 500 or more.
        Failed = "failed",
    }
}

words! {
    /// Who may show answers in a frame.
    FrameOptions {
        /// Nobody.
        Deny = "deny",
        /// Pages of the same origin.
        SameOrigin = "sameorigin",
        /// Everybody.
        Off = "off",
    }
}

words! {
    /// Whose pages may load answers without reading them.
    ResourcePolicy {
        /// Those of the same origin.
        SameOrigin = "same-origin",
        /// Those of the same site.
        SameSite = "same-site",
        /// All.
        CrossOrigin = "cross-origin",
    }
}

words! {
    /// What a service does that is in Redis while Redis is away.
    OnFailure {
        /// It does with less: the database, or no cache.
        Fallback = "fallback",
        /// It answers 503.
        Error = "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn a_variable_is_converted_and_a_quoted_number_is_not() {
        assert_eq!(u16::read(&text("8080")), Ok(8080));
        assert_eq!(
            u16::read(&"8080".into()).unwrap_err(),
            "must be a whole number from 0 to 65535, not the string \"8080\""
        );
        assert_eq!(bool::read(&text("true")), Ok(true));
        assert!(bool::read(&"true".into()).is_err());
    }

    #[test]
    fn a_number_out_of_range_is_refused() {
        assert!(u16::read(&65_536.into()).unwrap_err().contains("from 0 to 65535, not `65536`"));
        assert!(u16::read(&(-1).into()).is_err());
        assert!(u16::read(&text("99999999999999999999999999999999999999999999")).is_err());
    }

    #[test]
    fn a_list_in_a_variable_is_separated_by_commas() {
        assert_eq!(Vec::read(&text("a, b,")), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(Vec::<String>::read(&text("")), Ok(vec![]));
    }

    #[test]
    fn a_string_for_a_list_is_told_to_use_brackets() {
        assert!(Vec::<String>::read(&"a".into()).unwrap_err().contains("brackets"));
        assert!(Vec::<String>::read(&vec![1].into()).unwrap_err().contains("not `1`"));
    }

    #[test]
    fn an_unknown_word_is_answered_with_the_known_ones() {
        let message = LogFormat::read(&text("xml")).unwrap_err();
        assert_eq!(message, "must be one of `pretty` `json`, not `xml`");
    }

    #[test]
    fn zero_stands_for_no_limit() {
        assert_eq!(Option::<Duration>::read(&0.into()), Ok(None));
        assert_eq!(Option::<Duration>::read(&"0s".into()), Ok(None));
        assert_eq!(Option::<Duration>::read(&text("2s")), Ok(Some(Duration::from_secs(2))));
    }

    #[test]
    fn a_url_under_the_wrong_key_is_not_printed() {
        let message = u16::read(&text("postgres://me:hunter2@db/app")).unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }

    #[test]
    fn what_may_be_found_out_is_a_boolean_or_auto() {
        assert_eq!(Option::<bool>::read(&text("auto")), Ok(None));
        assert_eq!(Option::<bool>::read(&"auto".into()), Ok(None));
        assert_eq!(Option::<bool>::read(&text("true")), Ok(Some(true)));
        assert_eq!(Option::<bool>::read(&false.into()), Ok(Some(false)));
        let message = Option::<bool>::read(&text("maybe")).unwrap_err();
        assert_eq!(message, "must be `true`, `false` or `\"auto\"`, not `maybe`");
    }

    #[test]
    fn values_made_in_code_are_read() {
        assert_eq!(Duration::read(&Duration::from_millis(1500).into()), Ok(Duration::from_millis(1500)));
        assert_eq!(ByteSize::read(&ByteSize::from_mib(3).into()), Ok(ByteSize::from_mib(3)));
        assert_eq!(Vec::read(&["GET"].into()), Ok(vec!["GET".to_owned()]));
        assert_eq!(usize::read(&4_usize.into()), Ok(4));
    }
}
