//! A file of a form.

use std::{borrow::Cow, cell::RefCell, fmt, path::Path, sync::Arc};

use bytes::Bytes;
use schemars::schema::SchemaObject;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IntoDeserializer, Visitor, value::SeqDeserializer},
    ser,
};
use serde_json::Value;

use crate::{
    Result,
    schema::{Checker, Generator, Schema},
};

/// A file that came in a `multipart/form-data` body. It was streamed under its limits: in memory while it is small, in a
/// temporary file beyond that, which goes with the last clone.
#[derive(Clone)]
pub struct Upload(Arc<Inner>);

struct Inner {
    file_name: Option<String>,
    content_type: String,
    size_bytes: u64,
    content: Content,
}

pub(crate) enum Content {
    Memory(Bytes),
    File(tempfile::TempPath),
}

impl Upload {
    pub(crate) fn new(file_name: Option<String>, content_type: String, size_bytes: u64, content: Content) -> Self {
        Self(Arc::new(Inner { file_name, content_type, size_bytes, content }))
    }

    /// Makes an upload of bytes, for calls in process and for tests.
    pub fn from_bytes(file_name: impl Into<String>, content_type: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new(Some(file_name.into()), content_type.into(), bytes.len() as u64, Content::Memory(bytes))
    }

    /// Returns the name that the sender gave: its last part only, never a path.
    pub fn file_name(&self) -> Option<&str> {
        self.0.file_name.as_deref()
    }

    /// Returns the content type that the sender gave; `application/octet-stream` where there was none.
    pub fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// Returns the size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.0.size_bytes
    }

    /// Returns the whole content.
    ///
    /// # Errors
    /// 500 when the temporary file cannot be read.
    pub async fn bytes(&self) -> Result<Bytes> {
        match &self.0.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::File(path) => Ok(tokio::fs::read(path).await?.into()),
        }
    }

    /// Returns the temporary file, where the content is in one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0.content {
            Content::Memory(_) => None,
            Content::File(path) => Some(path),
        }
    }

    /// Copies the content to a file.
    ///
    /// # Errors
    /// 500 when the file cannot be written.
    pub async fn save(&self, to: impl AsRef<Path>) -> Result<()> {
        match &self.0.content {
            Content::Memory(bytes) => tokio::fs::write(to, bytes).await?,
            Content::File(path) => {
                tokio::fs::copy(path, to).await?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({:?}, {}, {} bytes)", self.0.file_name, self.0.content_type, self.0.size_bytes)
    }
}

impl Serialize for Upload {
    /// Always fails: a file is never part of a stored message.
    fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("a file cannot be part of JSON"))
    }
}

impl<'de> Deserialize<'de> for Upload {
    /// Fails for every format but the parts of a form.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TOKEN, UploadVisitor)
    }
}

impl Schema for Upload {
    fn label() -> Cow<'static, str> {
        "File".into()
    }

    fn schema(_generator: &mut Generator) -> SchemaObject {
        crate::schema::types::formatted("binary")
    }

    fn check(_value: &Value, checker: &mut Checker) {
        checker.fail("type", "a file only comes as a part of `multipart/form-data`");
    }
}

/// The name under which an [`Upload`] asks a deserializer for itself.
const TOKEN: &str = "$bunbase::Upload";

thread_local! {
    /// The file that is being handed from [`PartsDeserializer`] to `Upload::deserialize`: serde has no way to carry it.
    static HANDED: RefCell<Option<Upload>> = const { RefCell::new(None) };
}

/// Hands the files of one field to `Upload`, `Option<Upload>` or `Vec<Upload>`.
pub(crate) struct PartsDeserializer<'p>(&'p [Upload]);

impl<'p> PartsDeserializer<'p> {
    pub(crate) fn new(files: &'p [Upload]) -> Self {
        Self(files)
    }
}

impl<'de> Deserializer<'de> for PartsDeserializer<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, Self::Error> {
        let [upload] = self.0 else { return Err(de::Error::custom("one file is expected here")) };
        if name != TOKEN {
            return visitor.visit_newtype_struct(self);
        }
        HANDED.with(|slot| *slot.borrow_mut() = Some(upload.clone()));
        let result = visitor.visit_unit();
        HANDED.with(|slot| slot.borrow_mut().take());
        result
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Self::Error> {
        let mut items = SeqDeserializer::new(self.0.iter().map(|upload| One(std::slice::from_ref(upload))));
        let value = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(value)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct One<'p>(&'p [Upload]);

impl<'p> IntoDeserializer<'_> for One<'p> {
    type Deserializer = PartsDeserializer<'p>;

    fn into_deserializer(self) -> PartsDeserializer<'p> {
        PartsDeserializer(self.0)
    }
}

struct UploadVisitor;

impl Visitor<'_> for UploadVisitor {
    type Value = Upload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file, which only comes as a part of `multipart/form-data`")
    }

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<Upload, E> {
        HANDED.with(|slot| slot.borrow_mut().take()).ok_or_else(|| E::custom("a file only comes in a form"))
    }
}
