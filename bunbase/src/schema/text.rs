//! Values as text: path segments, query values, headers, cookies, form fields.

use std::borrow::Cow;

/// Why a text is not a value: a stable code and words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// A code of [`crate::error::FieldError`].
    pub code: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Mistake {
    /// Creates a mistake.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// A value that can be read from the text of a parameter, after percent-decoding.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot come from a path, a query, a header or a cookie",
    label = "this type has no form as text",
    note = "numbers, `bool`, `String`, `Uuid`, dates, `Decimal`, enums of plain names with `#[schema]`, newtypes of these, \
            and `Option` and `Vec` of them do; everything else belongs in the body"
)]
pub trait FromText: Sized {
    /// Whether the parameter may be there several times.
    const MANY: bool = false;

    /// Reads one text.
    fn from_text(text: &str) -> Result<Self, Mistake>;

    /// Reads all texts given for the parameter; there is at least one.
    fn from_texts(texts: &[Cow<'_, str>]) -> Result<Self, Mistake> {
        match texts {
            [text] => Self::from_text(text),
            [] => Err(Mistake::new("required", "this parameter is required")),
            _ => Err(Mistake::new(
                "repeated",
                format!("this parameter may be given once, it is there {} times", texts.len()),
            )),
        }
    }
}

impl<T: FromText> FromText for Option<T> {
    const MANY: bool = T::MANY;

    fn from_text(text: &str) -> Result<Self, Mistake> {
        T::from_text(text).map(Some)
    }

    fn from_texts(texts: &[Cow<'_, str>]) -> Result<Self, Mistake> {
        T::from_texts(texts).map(Some)
    }
}

impl<T: FromText> FromText for Vec<T> {
    const MANY: bool = true;

    fn from_text(text: &str) -> Result<Self, Mistake> {
        Ok(vec![T::from_text(text)?])
    }

    fn from_texts(texts: &[Cow<'_, str>]) -> Result<Self, Mistake> {
        texts.iter().map(|text| T::from_text(text)).collect()
    }
}

/// A value that can be written into a response header or a cookie.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written into a header or a cookie",
    label = "this type has no form as text",
    note = "numbers, `bool`, `String`, `Uuid`, dates, `Decimal`, enums of plain names with `#[schema]`, and `Option` of them do"
)]
pub trait ToText {
    /// Returns the text, or `None` where the header or cookie is left out.
    ///
    /// # Errors
    /// When there are no words for this value: a number that is not finite, a year of five digits.
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake>;
}

impl<T: ToText> ToText for Option<T> {
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        self.as_ref().map_or(Ok(None), T::to_text)
    }
}

impl<T: ToText> ToText for Vec<T> {
    /// Joins the items by commas, as lists in headers are written (RFC 9110 section 5.6.1).
    fn to_text(&self) -> Result<Option<Cow<'_, str>>, Mistake> {
        let items = self.iter().filter_map(|item| item.to_text().transpose()).collect::<Result<Vec<_>, _>>()?;
        Ok((!items.is_empty()).then(|| items.join(", ").into()))
    }
}
