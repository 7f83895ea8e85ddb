//! `multipart/form-data` (RFC 7578): fields and streamed files, all within limits.

use std::{borrow::Cow, collections::BTreeMap};

use actix_multipart::{Field as Part, Multipart, MultipartError};
use actix_web::{dev::Payload, error::PayloadError, http::header};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWriteExt;

use super::{
    body::{self, Paced},
    decode::{HttpInput, check_texts},
    upload::{Content, PartsDeserializer, Upload},
};
use crate::{
    Error, Result,
    action::Action,
    error::Place,
    schema::{Checker, Field, FileRules, Source},
};

/// The parts of a form, by name, and what was wrong with them as they came.
#[derive(Debug, Default)]
pub(crate) struct Form {
    texts: BTreeMap<usize, Vec<String>>,
    files: BTreeMap<usize, Vec<Upload>>,
    mistakes: Vec<(String, &'static str, String)>,
}

/// Most bytes of the name of a part: names of fields are shorter, and unknown ones are answered.
const LONGEST_NAME: usize = 256;

/// Reads a whole form; files go to memory or to temporary files as they come.
///
/// # Errors
/// 415 for another content type, 413 for too much of anything, 400 for a body that is not framed as a form.
pub(crate) async fn read(input: &mut HttpInput<'_>, mask: u128) -> Result<Form> {
    let headers = &input.head.headers;
    body::plain(headers)?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(body::unsupported("multipart/form-data"));
    }
    let limit = input.plan.body_limit;
    if body::declared_length(headers).is_some_and(|length| length > limit) {
        return Err(body::too_large(limit));
    }
    let payload = std::mem::replace(input.payload, Payload::None);
    let mut parts = Multipart::new(headers, limited(Paced::new(payload, input.settings.body_timeout), limit));
    let mut form = Form::default();
    let (mut files, mut fields) = (0_usize, 0_usize);
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|error| broken(error, limit))?;
        let name = part.name().unwrap_or_default();
        if name.len() > LONGEST_NAME {
            return Err(Error::new(
                400,
                "malformed_body",
                format!("the name of a part has more than {LONGEST_NAME} bytes"),
            ));
        }
        let name = name.to_owned();
        let wanted = |index: usize, field: &Field| mask >> index & 1 == 1 && wire_name(field) == name;
        let found = input.plan.fields.iter().enumerate().find(|(index, field)| wanted(*index, field));
        let Some((index, field)) = found else {
            fields += 1;
            if fields > input.settings.multipart.max_fields {
                return Err(too_many("fields", input.settings.multipart.max_fields));
            }
            form.mistakes.push((name, "unknown", "there is no such field".to_owned()));
            drain(&mut part, limit).await?;
            continue;
        };
        if field.source == Source::File {
            files += 1;
            if files > input.settings.multipart.max_files {
                return Err(too_many("files", input.settings.multipart.max_files));
            }
            match file(&mut part, field, input).await? {
                Ok(upload) => form.files.entry(index).or_default().push(upload),
                Err(message) => form.mistakes.push((name, "content_type", message)),
            }
        } else {
            fields += 1;
            if fields > input.settings.multipart.max_fields {
                return Err(too_many("fields", input.settings.multipart.max_fields));
            }
            let bytes = collect(&mut part, limit).await?;
            match String::from_utf8(bytes.into()) {
                Ok(text) => form.texts.entry(index).or_default().push(text),
                Err(_) => form.mistakes.push((name, "encoding", "must be UTF-8 text".to_owned())),
            }
        }
    }
    Ok(form)
}

fn wire_name(field: &Field) -> &'static str {
    field.param.unwrap_or(field.key)
}

/// Cuts a body off where it becomes larger than `limit`: headers and borders of parts count, too.
fn limited(payload: Paced<Payload>, limit: u64) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    let mut total = 0_u64;
    payload.map(move |chunk| {
        let chunk = chunk?;
        total += chunk.len() as u64;
        if total > limit { Err(PayloadError::Overflow) } else { Ok(chunk) }
    })
}

fn broken(error: MultipartError, limit: u64) -> Error {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => body::too_large(limit),
        MultipartError::Payload(error @ PayloadError::Io(_)) => body::broken(error),
        error => Error::new(400, "malformed_body", format!("the body is not a form: {error}")),
    }
}

fn too_many(what: &str, most: usize) -> Error {
    Error::new(413, "too_many_parts", format!("a form may have at most {most} {what}"))
}

async fn drain(part: &mut Part, limit: u64) -> Result<()> {
    while let Some(chunk) = part.next().await {
        chunk.map_err(|error| broken(error, limit))?;
    }
    Ok(())
}

async fn collect(part: &mut Part, limit: u64) -> Result<BytesMut> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = part.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| broken(error, limit))?);
    }
    Ok(bytes)
}

/// Streams one file. The inner error says why its content type is refused.
async fn file(part: &mut Part, field: &Field, input: &HttpInput<'_>) -> Result<std::result::Result<Upload, String>> {
    let limit = input.plan.body_limit;
    let rules = field.file.unwrap_or(FileRules::NONE);
    let content_type = part.content_type().map_or("application/octet-stream", mime::Mime::essence_str).to_owned();
    if !allowed(rules.content_types, &content_type) {
        drain(part, limit).await?;
        return Ok(Err(format!("`{content_type}` is not taken here; send {}", rules.content_types.join(" or "))));
    }
    // Only the last part of a path: some senders give one, and nobody may choose where we write.
    let sent = part.content_disposition().and_then(|disposition| disposition.get_filename()).map(str::to_owned);
    let file_name =
        sent.and_then(|name| name.rsplit(['/', '\\']).next().map(str::to_owned)).filter(|name| !name.is_empty());
    let most = rules.max_size_bytes.unwrap_or(input.settings.multipart.max_file_bytes);
    let mut memory = BytesMut::new();
    let mut spilled: Option<(tokio::fs::File, tempfile::TempPath)> = None;
    let mut size = 0_u64;
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(|error| broken(error, limit))?;
        size += chunk.len() as u64;
        if size > most {
            return Err(Error::new(
                413,
                "file_too_large",
                format!("the file `{}` is larger than {most} bytes", field.name),
            ));
        }
        match &mut spilled {
            Some((file, _)) => file.write_all(&chunk).await?,
            None if size > input.settings.multipart.memory_limit_bytes => {
                let (file, path) = tokio::task::spawn_blocking(tempfile::NamedTempFile::new)
                    .await
                    .map_err(Error::internal)??
                    .into_parts();
                let mut file = tokio::fs::File::from_std(file);
                file.write_all(&memory).await?;
                file.write_all(&chunk).await?;
                memory.clear();
                spilled = Some((file, path));
            }
            None => memory.extend_from_slice(&chunk),
        }
    }
    let content = match spilled {
        None => Content::Memory(memory.freeze()),
        Some((mut file, path)) => {
            file.flush().await?;
            Content::File(path)
        }
    };
    Ok(Ok(Upload::new(file_name, content_type, size, content)))
}

/// Returns whether a content type is in a list such as `image/png`, `image/*`; an empty list takes all.
fn allowed(list: &[&str], content_type: &str) -> bool {
    list.is_empty()
        || list.iter().any(|one| match one.strip_suffix("/*") {
            Some(kind) => content_type.split('/').next() == Some(kind),
            None => one.eq_ignore_ascii_case(content_type),
        })
}

impl Form {
    /// Makes the message, or names every mistake. `sound` says whether the fields outside the form were right.
    pub(crate) fn into_message<A: Action>(
        self,
        input: &HttpInput<'_>,
        mut slots: A::Slots,
        mut sound: bool,
    ) -> Result<A> {
        sound &= self.mistakes.is_empty();
        for (index, texts) in &self.texts {
            let texts: Vec<Cow<'_, str>> = texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect();
            sound &= match (input.plan.fields[*index].text, texts.as_slice()) {
                (Some(_), texts) => A::put_texts(&mut slots, *index, texts).is_ok(),
                // What has no form as text is JSON, as OpenAPI says of objects in forms.
                (None, [text]) => A::put(&mut slots, *index, &mut serde_json::Deserializer::from_str(text)).is_ok(),
                (None, _) => false,
            };
        }
        for (index, files) in &self.files {
            sound &= A::put(&mut slots, *index, PartsDeserializer::new(files)).is_ok();
        }
        match A::take(slots) {
            Ok(message) if sound && message.valid() => Ok(message),
            _ => Err(self.explain(input)),
        }
    }

    #[cold]
    fn explain(&self, input: &HttpInput<'_>) -> Error {
        let mut checker = Checker::new(Place::Path);
        check_texts(input, &mut checker);
        checker.turn_to(Place::Body);
        for (name, code, message) in &self.mistakes {
            checker.at_key(name, |checker| checker.fail(*code, message.clone()));
        }
        let super::plan::BodyPlan::Form { mask } = input.plan.body else {
            return Error::invalid(checker.into_errors());
        };
        for (index, field) in input.plan.fields.iter().enumerate().filter(|(index, _)| mask >> index & 1 == 1) {
            let refused = self.mistakes.iter().any(|(name, ..)| name == wire_name(field));
            checker.at_key(wire_name(field), |checker| match (self.texts.get(&index), self.files.get(&index)) {
                (Some(texts), _) if field.text.is_some() => {
                    let texts: Vec<_> = texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect();
                    field.check_texts(&texts, checker);
                }
                (Some(texts), _) if texts.len() > 1 => checker.fail("repeated", "this field may be given once"),
                (Some(texts), _) => match serde_json::from_str(&texts[0]) {
                    Ok(value) => field.check(&value, checker),
                    Err(error) => checker.fail("type", format!("must be JSON: {error}")),
                },
                (None, Some(files)) if files.len() > 1 => checker.fail("repeated", "one file is expected here"),
                (None, None) if field.required && !refused => checker.missing(),
                (None, _) => {}
            });
        }
        Error::invalid(checker.into_errors())
    }
}
