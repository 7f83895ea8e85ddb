//! What a value looks like: as a JSON Schema, as JSON, and as text in a URL or a header.
//!
//! Here: the [`Schema`] trait that `#[schema]` implements, the field tables of structs ([`Record`]), constraints, and the
//! cold pass that names every mistake of a value. Not here: where a field of a request comes from (`http`), and how the
//! schemas become a document (`openapi`). A new type joins by implementing [`Schema`]; nothing else changes.

mod base64;
mod checker;
mod choice;
mod constraint;
mod field;
mod generator;
mod patch;
pub mod record;
mod repeated;
pub mod rules;
pub(crate) mod sensitive;
mod text;
pub(crate) mod types;
pub mod variant;
pub mod wire;
pub mod wrapper;

use std::borrow::Cow;

use schemars::schema::SchemaObject;
use serde::{Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value;

pub use self::{
    base64::Base64,
    checker::Checker,
    constraint::{Constraint, Format, Number},
    field::{CookieRules, Field, FileRules, Probe, SameSite, Source, TextForm},
    generator::Generator,
    patch::Patch,
    record::Record,
    repeated::repeated_keys,
    text::{FromText, Mistake, ToText},
    variant::{Payload, Tagging, Variant},
    wire::Wire,
};

#[doc(hidden)]
pub use self::{
    constraint::regex,
    field::{NoSchema, NoText, NotRecord},
    record::BesideTag,
};

/// Whatever can be described by a JSON Schema and checked against it.
///
/// `#[schema]` implements this for structs and enums. By hand it is only needed for a type with a wire form of its own, whose
/// `Serialize` and `Deserialize` then have to be what its schema says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schema",
    label = "this type cannot be part of an input or an output",
    note = "put `#[schema]` on the struct or enum, or wrap the value in a type that has it",
    note = "numbers, `bool`, `String`, `Option`, `Vec`, maps, tuples, `Uuid`, dates, `Decimal` and `Base64` have a schema already"
)]
pub trait Schema: Serialize + DeserializeOwned {
    /// Whether a missing key stands for a value of this type: `true` for `Option` and [`Patch`].
    const OPTIONAL: bool = false;

    /// Whether the schema is a named component of the document rather than written out where it is used.
    const COMPONENT: bool = false;

    /// Returns the name of the component, and the part of a name that a generic type makes of it.
    fn label() -> Cow<'static, str>;

    /// Returns what tells this type from all others: its path, or that of the type inside for a pointer.
    #[doc(hidden)]
    fn identity() -> &'static str {
        std::any::type_name::<Self>()
    }

    /// Returns the schema itself, never a reference to it.
    fn schema(generator: &mut Generator) -> SchemaObject;

    /// Reports every mistake of `value`. Runs only after decoding has failed.
    fn check(value: &Value, checker: &mut Checker);

    /// Decodes a value: what [`schema`](Self::schema) describes, and nothing laxer. `Deserialize` unless said.
    ///
    /// # Errors
    /// When it is not a value of this type.
    fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    /// Writes a value that [`schema`](Self::schema) describes, and no other. `Serialize` unless said.
    ///
    /// # Errors
    /// When there are no words for this value: a number that is not finite, a year of five digits.
    fn encode<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }

    /// Returns whether all constraints hold, in this value and in the values inside it.
    fn valid(&self) -> bool {
        true
    }

    /// Returns whether this is the value that only a missing key stands for, so that writing it means leaving it out.
    fn is_absent(&self) -> bool {
        false
    }

    /// Returns the value that a missing key stands for.
    fn absent() -> Option<Self> {
        None
    }
}
