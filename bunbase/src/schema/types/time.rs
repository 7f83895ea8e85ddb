//! Dates and times (chrono's types), in the words of RFC 3339 and nothing laxer.
//!
//! chrono reads far more: years of six digits, a space for the `T`, seconds left out. Here a year has four digits, `T` and `Z` are
//! upper case, and there is no second 60, which neither database keeps. Values are cut to microseconds, which both keep. A time
//! with an offset must also be in one of these years in UTC, which is what is stored and written.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Timelike, Utc};
use schemars::schema::SchemaObject;
use serde::{Deserializer, Serializer};
use serde_json::Value;

use super::formatted;
use crate::schema::{
    Checker, FromText, Generator, Mistake, Schema, ToText,
    wire::{decode_text, encode_text},
};

/// What a date looks like. Which days there are is for its format to say.
macro_rules! date {
    () => {
        "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    };
}

/// What a time of day looks like.
macro_rules! time {
    () => {
        r"[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    };
}

macro_rules! times {
    ($($type:ty, $label:literal, $format:literal, $pattern:expr, $words:literal, $read:expr, $writable:expr, $print:expr;)*) => {$(
        impl Schema for $type {
            fn label() -> Cow<'static, str> {
                $label.into()
            }

            fn schema(_generator: &mut Generator) -> SchemaObject {
                let mut schema = formatted($format);
                schema.string().pattern = Some($pattern.to_owned());
                schema
            }

            fn check(value: &Value, checker: &mut Checker) {
                match value {
                    Value::String(text) => {
                        if let Err(mistake) = Self::from_text(text) {
                            checker.fail(mistake.code, mistake.message);
                        }
                    }
                    other => checker.wrong_type("a string", other),
                }
            }

            fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                decode_text(deserializer)
            }

            fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                encode_text(self, serializer)
            }
        }

        impl FromText for $type {
            fn from_text(text: &str) -> Result<Self, Mistake> {
                let read: fn(&mut Scan<'_>) -> Option<$type> = $read;
                let mut scan = Scan(text.as_bytes());
                let value = read(&mut scan).filter(|_| scan.0.is_empty());
                value.ok_or_else(|| Mistake::new("format", concat!("must be ", $words)))
            }
        }

        impl ToText for $type {
            fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
                let (writable, print): (fn(&$type) -> bool, fn(&$type) -> String) = ($writable, $print);
                if writable(self) {
                    return Ok(Some(print(self).into()));
                }
                let message = concat!("cannot be written, because it is not in the years 0000 to 9999 or is a second 60: ", $words);
                Err(Mistake::new("range", message))
            }
        }
    )*};
}
times! {
    DateTime<Utc>, "DateTime", "date-time", concat!("^", date!(), "T", time!(), "(Z|[+-][0-2][0-9]:[0-5][0-9])$"),
        "a date and time with an offset (RFC 3339), in the years 0000 to 9999, such as `2030-01-31T12:00:00Z`",
        |scan| Some(scan.date_time_with_offset()?.to_utc()),
        |time| has_date(time.naive_utc().date()) && has_time(time.time()),
        |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    DateTime<FixedOffset>, "DateTime", "date-time", concat!("^", date!(), "T", time!(), "(Z|[+-][0-2][0-9]:[0-5][0-9])$"),
        "a date and time with an offset (RFC 3339), in the years 0000 to 9999, such as `2030-01-31T12:00:00+01:00`",
        |scan| scan.date_time_with_offset(),
        |time| {
            has_date(time.naive_utc().date())
                && has_date(time.naive_local().date())
                && has_time(time.time())
                && time.offset().local_minus_utc() % 60 == 0
        },
        |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    NaiveDate, "Date", "date", concat!("^", date!(), "$"),
        "a date (RFC 3339), in the years 0000 to 9999, such as `2030-01-31`",
        |scan| scan.date(), |date| has_date(*date), ToString::to_string;
    NaiveTime, "Time", "partial-time", concat!("^", time!(), "$"),
        "a time of day (RFC 3339), such as `12:30:00`",
        |scan| scan.time(), |time| has_time(*time), ToString::to_string;
    NaiveDateTime, "LocalDateTime", "local-date-time", concat!("^", date!(), "T", time!(), "$"),
        "a date and time without an offset, in the years 0000 to 9999, such as `2030-01-31T12:00:00`",
        |scan| scan.date_time(), |time| has_date(time.date()) && has_time(time.time()), |time| format!("{time:?}");
}

/// Returns whether four digits can say the year.
fn has_date(date: NaiveDate) -> bool {
    (0..=9999).contains(&date.year())
}

/// Returns whether it is a second from 0 to 59: chrono keeps the second 60 as one of more than 10⁹ nanoseconds.
fn has_time(time: NaiveTime) -> bool {
    time.nanosecond() < 1_000_000_000
}

/// What is left of a text that is read from left to right.
struct Scan<'t>(&'t [u8]);

impl Scan<'_> {
    fn byte(&mut self, expected: u8) -> Option<()> {
        self.0 = self.0.strip_prefix(&[expected])?;
        Some(())
    }

    /// Takes exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    }

    fn date(&mut self) -> Option<NaiveDate> {
        let year = i32::try_from(self.number(4)?).ok()?;
        self.byte(b'-')?;
        let month = self.number(2)?;
        self.byte(b'-')?;
        NaiveDate::from_ymd_opt(year, month, self.number(2)?)
    }

    fn time(&mut self) -> Option<NaiveTime> {
        let hour = self.number(2)?;
        self.byte(b':')?;
        let minute = self.number(2)?;
        self.byte(b':')?;
        let second = self.number(2)?;
        NaiveTime::from_hms_micro_opt(hour, minute, second, self.micros()?)
    }

    /// Takes a fraction of a second, where there is one, and cuts it to microseconds.
    fn micros(&mut self) -> Option<u32> {
        if self.byte(b'.').is_none() {
            return Some(0);
        }
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let kept = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
        (count > 0).then(|| kept.fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0')))
    }

    fn date_time(&mut self) -> Option<NaiveDateTime> {
        let date = self.date()?;
        self.byte(b'T')?;
        Some(date.and_time(self.time()?))
    }

    fn offset(&mut self) -> Option<FixedOffset> {
        if self.byte(b'Z').is_some() {
            return FixedOffset::east_opt(0);
        }
        let sign = if self.byte(b'+').is_some() { 1 } else { self.byte(b'-').map(|()| -1)? };
        let hours = self.number(2)?;
        self.byte(b':')?;
        let minutes = self.number(2).filter(|minutes| *minutes < 60)?;
        // A day or more is refused here.
        FixedOffset::east_opt(sign * i32::try_from(hours * 3600 + minutes * 60).ok()?)
    }

    fn date_time_with_offset(&mut self) -> Option<DateTime<FixedOffset>> {
        let local = self.date_time()?;
        let time = local.and_local_timezone(self.offset()?).single()?;
        has_date(time.naive_utc().date()).then_some(time)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::schema::wire::Wire;

    fn pattern<T: Schema>() -> Regex {
        let mut schema = T::schema(&mut Generator::default());
        Regex::new(schema.string().pattern.as_deref().unwrap()).unwrap()
    }

    /// Reads a value from JSON and from text, which must agree, and holds it against the documented pattern.
    fn read<T: Schema + FromText + PartialEq + std::fmt::Debug>(text: &str) -> Option<T> {
        let from_text = T::from_text(text).ok();
        let from_json = T::decode(&Value::from(text)).ok();
        assert_eq!(from_text, from_json, "{text}");
        let mut checker = Checker::new(crate::error::Place::Body);
        T::check(&Value::from(text), &mut checker);
        assert_eq!(checker.count() == 0, from_text.is_some(), "{text}");
        if from_text.is_some() {
            assert!(pattern::<T>().is_match(text), "{text} is taken, and the document says that it is not");
        }
        from_text
    }

    fn write<T: Schema>(value: &T) -> Result<String, String> {
        let text = serde_json::to_value(Wire(value)).map_err(|error| error.to_string())?;
        Ok(text.as_str().unwrap().to_owned())
    }

    #[test]
    fn what_rfc_3339_says_is_taken() {
        for (text, same) in [
            ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z"),
            ("2030-01-31T12:00:00.5+01:00", "2030-01-31T11:00:00.500Z"),
            ("2030-01-31T12:00:00-00:00", "2030-01-31T12:00:00Z"),
            ("2030-01-31T12:00:00.1234569Z", "2030-01-31T12:00:00.123456Z"),
            ("2030-01-31T12:00:00.12345678901234567890Z", "2030-01-31T12:00:00.123456Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
            ("2024-02-29T00:00:00+23:59", "2024-02-28T00:01:00Z"),
        ] {
            assert_eq!(write(&read::<DateTime<Utc>>(text).unwrap()).as_deref(), Ok(same), "{text}");
            assert!(read::<DateTime<FixedOffset>>(text).is_some(), "{text}");
        }
        assert!(read::<NaiveDate>("2024-02-29").is_some());
        assert!(read::<NaiveTime>("23:59:59.123456789").is_some_and(|time| time.nanosecond() == 123_456_000));
        assert!(read::<NaiveDateTime>("2024-02-29T00:00:00").is_some());
    }

    #[test]
    fn what_chrono_alone_takes_is_refused() {
        for text in [
            "-4800-12-31T23:59:59Z",
            "+12030-01-31T12:00:00Z",
            "2030-1-31T12:00:00Z",
            "2030-01-31 12:00:00Z",
            "2030-01-31t12:00:00Z",
            "2030-01-31T12:00:00z",
            "2030-01-31T12:00Z",
            "2030-01-31T12:00:00",
            "2030-01-31T12:00:00 Z",
            "2030-01-31T12:00:00+0100",
            "2030-01-31T12:00:00+24:00",
            "2030-01-31T12:00:00+01:60",
            "2030-01-31T12:00:00.Z",
            "2030-01-31T12:00:00,5Z",
            "2030-01-31T12:00:60Z",
            "2030-01-31T24:00:00Z",
            "2030-02-30T12:00:00Z",
            "0000-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            " 2030-01-31T12:00:00Z",
            "2030-01-31T12:00:00Z\n",
            "２０３０-01-31T12:00:00Z",
            "",
        ] {
            assert_eq!(read::<DateTime<Utc>>(text), None, "{text}");
            assert_eq!(read::<DateTime<FixedOffset>>(text), None, "{text}");
        }
        for text in
            ["+262142-01-01", "-0001-01-01", "2030-1-01", "2030-01-1", " 2030-01-01", "2030-02-30", "2030-13-01"]
        {
            assert_eq!(read::<NaiveDate>(text), None, "{text}");
        }
        for text in ["12:30", "24:00:00", "12:30:60", "1:30:00", "12:30:00Z"] {
            assert_eq!(read::<NaiveTime>(text), None, "{text}");
        }
        for text in ["2030-01-31 12:00:00", "2030-01-31T12:00", "2030-01-31T12:00:00Z"] {
            assert_eq!(read::<NaiveDateTime>(text), None, "{text}");
        }
    }

    #[test]
    fn what_would_be_refused_is_not_written() {
        let late = NaiveDate::from_ymd_opt(10_000, 1, 1).unwrap();
        assert!(write(&late).unwrap_err().contains("years 0000 to 9999"));
        assert!(write(&late.and_time(NaiveTime::MIN)).is_err());
        assert!(write(&late.and_time(NaiveTime::MIN).and_utc()).is_err());
        let leap = NaiveTime::from_hms_nano_opt(23, 59, 59, 1_000_000_000).unwrap();
        assert!(write(&leap).is_err());
        assert!(write(&vec![Some(late)]).is_err());
        assert!(late.to_text().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_taken(seconds in -62_167_219_200_i64..253_402_300_800, nanos in 0..1_000_000_000_u32, offset in -1439..=1439) {
            let time = DateTime::<Utc>::from_timestamp(seconds, nanos).unwrap();
            let cut = DateTime::<Utc>::from_timestamp(seconds, nanos / 1000 * 1000).unwrap();
            prop_assert_eq!(read::<DateTime<Utc>>(&write(&time).unwrap()), Some(cut));
            let local = time.with_timezone(&FixedOffset::east_opt(offset * 60).unwrap());
            if let Ok(text) = write(&local) {
                prop_assert_eq!(read::<DateTime<FixedOffset>>(&text).map(|time| time.to_utc()), Some(cut));
                // chrono reads the same, as far as it reads it.
                prop_assert_eq!(DateTime::parse_from_rfc3339(&text).unwrap(), local);
            }
            prop_assert_eq!(read::<NaiveDate>(&write(&time.date_naive()).unwrap()), Some(time.date_naive()));
            prop_assert_eq!(read::<NaiveTime>(&write(&time.time()).unwrap()), Some(cut.time()));
            prop_assert_eq!(read::<NaiveDateTime>(&write(&time.naive_utc()).unwrap()), Some(cut.naive_utc()));
        }

        #[test]
        fn no_text_makes_a_time_panic(text in ".{0,40}", near in "[0-9+-]{3,6}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}[.0-9]{0,9}[Zz+-]?[0-9:]{0,6}") {
            for text in [text, near] {
                read::<DateTime<Utc>>(&text);
                read::<DateTime<FixedOffset>>(&text);
                read::<NaiveDate>(&text);
                read::<NaiveTime>(&text);
                read::<NaiveDateTime>(&text);
            }
        }
    }
}
