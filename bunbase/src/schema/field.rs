//! The table that `#[schema]` emits for the fields of a struct.

use std::{borrow::Cow, fmt, marker::PhantomData, time::Duration};

use schemars::schema::Schema as Node;
use serde::{Deserializer, de::Error as _};
use serde_json::Value;

use super::{Checker, Constraint, FromText, Generator, Mistake, Record, Schema, Wire};

/// Where the author said that a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing was said; each door decides by its template and method.
    Unmarked,
    /// `#[path]`
    Path,
    /// `#[query]`
    Query,
    /// `#[header]`
    Header,
    /// `#[cookie]`
    Cookie,
    /// `#[body]`: this field is the whole body.
    Body,
    /// `#[file]`: a part of a `multipart/form-data` body.
    File,
}

/// One field of a struct.
#[derive(Clone, Copy)]
pub struct Field {
    /// The Rust name.
    pub name: &'static str,
    /// The key in JSON; the Rust name unless renamed.
    pub key: &'static str,
    /// What the author said about its place.
    pub source: Source,
    /// The name of the parameter, header or cookie where the author gave one.
    pub param: Option<&'static str>,
    /// The doc comment.
    pub docs: &'static str,
    /// Whether a value must be given: no default, and the type is not optional.
    pub required: bool,
    /// Whether its values are kept out of logs and records.
    pub sensitive: bool,
    /// Whether the document says that it should no longer be used.
    pub deprecated: bool,
    /// Rules beyond the type.
    pub constraints: &'static [Constraint],
    /// Returns the type's schema.
    pub schema: fn(&mut Generator) -> Node,
    /// Reports the mistakes of a JSON value against the type; [`Field::check`] adds the constraints.
    pub check_type: fn(&Value, &mut Checker),
    /// How the value is read from text, where that is possible.
    pub text: Option<TextForm>,
    /// Returns the default as JSON, where there is one.
    pub default: Option<fn() -> Option<Value>>,
    /// For a field marked `#[file]`.
    pub file: Option<FileRules>,
    /// For a field marked `#[cookie]`: how an output sets it.
    pub cookie: CookieRules,
}

impl Field {
    /// A field with nothing said about it: the start of generated tables.
    pub const fn new<T: Schema>(name: &'static str, text: Option<TextForm>) -> Self {
        Self {
            name,
            key: name,
            source: Source::Unmarked,
            param: None,
            docs: "",
            required: !T::OPTIONAL,
            sensitive: false,
            deprecated: false,
            constraints: &[],
            schema: Generator::of::<T>,
            check_type: T::check,
            text,
            default: None,
            file: None,
            cookie: CookieRules::NONE,
        }
    }

    /// Reports every mistake of a JSON value for this field.
    pub fn check(&self, value: &Value, checker: &mut Checker) {
        let before = checker.count();
        (self.check_type)(value, checker);
        // A value of the wrong type breaks its constraints in ways that say nothing new.
        if checker.count() == before {
            self.constraints.iter().for_each(|rule| rule.check(value, checker));
        }
    }

    /// Reports every mistake of the texts given for this field; none given is for the caller to judge.
    pub fn check_texts(&self, texts: &[Cow<'_, str>], checker: &mut Checker) {
        match self.text {
            None => checker.fail("type", "this field cannot be given as text"),
            Some(form) => match (form.to_json)(texts) {
                Err(mistake) => checker.fail(mistake.code, mistake.message),
                Ok(value) => self.check(&value, checker),
            },
        }
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("name", &self.name)
            .field("key", &self.key)
            .field("source", &self.source)
            .field("param", &self.param)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

/// How a field is read from the text of a parameter.
#[derive(Clone, Copy, Debug)]
pub struct TextForm {
    /// Whether it takes a parameter that is there several times.
    pub many: bool,
    /// Decodes the texts and gives the value as JSON, for the checks that explain a failure.
    pub to_json: fn(&[Cow<'_, str>]) -> Result<Value, Mistake>,
}

/// The limits of one file of a `multipart/form-data` body.
#[derive(Clone, Copy, Debug)]
pub struct FileRules {
    /// Largest size in bytes; `None` leaves it to `multipart.max_file_size`.
    pub max_size_bytes: Option<u64>,
    /// Content types that are taken, such as `image/png` or `image/*`; empty takes all.
    pub content_types: &'static [&'static str],
}

impl FileRules {
    /// No rules beyond those of the configuration.
    pub const NONE: Self = Self { max_size_bytes: None, content_types: &[] };
}

/// The `SameSite` attribute of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent only with requests from the same site.
    Strict,
    /// Also sent when a user follows a link to the site.
    Lax,
    /// Sent with every request; browsers require `Secure` with it.
    None,
}

/// The attributes with which an output sets a cookie.
#[derive(Clone, Copy, Debug)]
pub struct CookieRules {
    /// `HttpOnly`: not readable by scripts.
    pub http_only: bool,
    /// `Secure`: only over TLS.
    pub secure: bool,
    /// `Partitioned`: kept apart for each embedding site.
    pub partitioned: bool,
    /// `SameSite`.
    pub same_site: Option<SameSite>,
    /// `Max-Age`.
    pub max_age: Option<Duration>,
    /// `Path`; `/` unless said.
    pub path: Option<&'static str>,
    /// `Domain`.
    pub domain: Option<&'static str>,
}

impl CookieRules {
    /// A cookie of the session for the whole site.
    pub const NONE: Self = Self {
        http_only: false,
        secure: false,
        partitioned: false,
        same_site: None,
        max_age: None,
        path: None,
        domain: None,
    };
}

/// Asks at compile time what a field's type can do.
///
/// An inherent item wins over one of a trait, and exists only where its bound holds: the trait's item is the answer for
/// all other types. (The technique is known as inherent-item specialisation; see the crate `impls`.)
#[derive(Debug)]
pub struct Probe<T>(PhantomData<T>);

impl<T: FromText + Schema> Probe<T> {
    /// How the type is read from text.
    pub const TEXT: Option<TextForm> = Some(TextForm { many: T::MANY, to_json: texts_to_json::<T> });

    /// Reads the type from text.
    pub fn parse(texts: &[Cow<'_, str>]) -> Result<T, Mistake> {
        T::from_texts(texts)
    }
}

impl<T: Schema> Probe<T> {
    /// Takes one slot: its value, what absence stands for, or the index of the missing field.
    pub fn slot(value: Option<T>, index: usize) -> Result<T, usize> {
        value.or_else(T::absent).ok_or(index)
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// When it is not a value of this type.
    pub fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        T::decode(deserializer)
    }

    /// Returns whether all constraints of the type hold.
    pub fn valid(value: &T) -> bool {
        value.valid()
    }
}

impl<T: Record> Probe<T> {
    /// The fields of the type.
    pub const RECORD: Option<&'static [Field]> = Some(T::FIELDS);
}

fn texts_to_json<T: FromText + Schema>(texts: &[Cow<'_, str>]) -> Result<Value, Mistake> {
    let value = T::from_texts(texts)?;
    serde_json::to_value(Wire(&value)).map_err(|error| Mistake::new("type", error.to_string()))
}

/// The answer of [`Probe`] for types that cannot be read from text.
pub trait NoText<T> {
    /// Nothing.
    const TEXT: Option<TextForm> = None;

    /// Always a mistake.
    fn parse(_texts: &[Cow<'_, str>]) -> Result<T, Mistake> {
        Err(Mistake::new("type", "this field cannot be given as text"))
    }
}
impl<T> NoText<T> for Probe<T> {}

/// The answer of [`Probe`] for types that have no fields.
pub trait NotRecord {
    /// Nothing.
    const RECORD: Option<&'static [Field]> = None;
}
impl<T> NotRecord for Probe<T> {}

/// The answer of [`Probe`] for types without a schema: the table of fields says so, and once is enough.
pub trait NoSchema<T> {
    /// The value, or nothing.
    fn slot(value: Option<T>, index: usize) -> Result<T, usize> {
        value.ok_or(index)
    }

    /// Always an error.
    fn decode<'de, D: Deserializer<'de>>(_deserializer: D) -> Result<T, D::Error> {
        Err(D::Error::custom("this type has no schema"))
    }

    /// Always true.
    fn valid(_value: &T) -> bool {
        true
    }
}
impl<T> NoSchema<T> for Probe<T> {}
