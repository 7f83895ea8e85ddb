//! From a request to a message: straight into its fields, and a second, cold pass that names every mistake.

use std::borrow::Cow;

use actix_web::dev::Payload;
use bytes::Bytes;
use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use super::{
    body::{self, Paced},
    head::{Head, decode_query, decode_segment, is_named},
    plan::{BodyPlan, Plan, TextSource},
    settings::Settings,
};
use crate::{
    Error, Result,
    action::Action,
    context::Ctx,
    error::Place,
    invoke::Decode,
    schema::{Checker, Mistake, record, repeated_keys},
};

/// A request, to be decoded once the guards have passed. It is borrowed: each future on its way would have room for what it owns.
pub(crate) struct HttpInput<'r> {
    pub(crate) plan: &'r Plan,
    pub(crate) head: &'r Head,
    pub(crate) payload: &'r mut Payload,
    pub(crate) settings: &'r Settings,
}

/// The texts of one parameter, which mostly has one.
type Texts<'h> = Result<SmallVec<[Cow<'h, str>; 1]>, Mistake>;

impl<A: Action> Decode<A> for HttpInput<'_> {
    async fn decode(mut self, _ctx: &Ctx) -> Result<A> {
        let mut slots = A::slots();
        let mut sound = texts::<A>(self.plan, self.head, &mut slots);
        let bytes = match self.plan.body {
            BodyPlan::None => None,
            BodyPlan::Form { mask } => {
                // In a box, so that requests without one do not carry room for it.
                let form = Box::pin(super::multipart::read(&mut self, mask)).await?;
                return form.into_message::<A>(&self, slots, sound);
            }
            BodyPlan::Fields { required, .. } | BodyPlan::Whole { required, .. } => {
                // Likewise.
                Box::pin(read_json(&mut self, required)).await?
            }
        };
        if let Some(bytes) = &bytes {
            sound &= json::<A>(&self.plan.body, bytes, &mut slots);
        }
        match A::take(slots) {
            Ok(message) if sound && message.valid() => Ok(message),
            _ => Err(explain(&self, bytes.as_ref(), serde_mistake::<A>)),
        }
    }
}

/// Reads a JSON body; `None` where there is none and none is needed.
async fn read_json(input: &mut HttpInput<'_>, required: bool) -> Result<Option<Bytes>> {
    let headers = &input.head.headers;
    let is_json = body::is_json(headers);
    body::plain(headers)?;
    // A body that is announced in another form is refused before it is read.
    if !is_json && body::declared_length(headers).is_some_and(|length| length > 0) {
        return Err(body::unsupported("application/json"));
    }
    let paced = Paced::new(&mut *input.payload, input.settings.body_timeout).of(input.head);
    let bytes = body::read(paced, headers, input.plan.body_limit).await?;
    match (bytes.is_empty(), is_json) {
        (true, _) if !required => Ok(None),
        (true, true) => Err(malformed("the body is empty, and JSON is expected")),
        (_, false) => Err(body::unsupported("application/json")),
        (false, true) => Ok(Some(bytes)),
    }
}

pub(super) fn malformed(detail: impl Into<Cow<'static, str>>) -> Error {
    Error::new(400, "malformed_body", detail)
}

/// Decodes all texts into their slots. Answers whether all of them were right.
fn texts<A: Action>(plan: &Plan, head: &Head, slots: &mut A::Slots) -> bool {
    let mut sound = true;
    for (index, source) in &plan.texts {
        let many = plan.fields[*index].text.is_some_and(|form| form.many);
        match find(head, source, many) {
            Ok(texts) if texts.is_empty() => {}
            Ok(texts) => sound &= A::put_texts(slots, *index, &texts).is_ok(),
            Err(_) => sound = false,
        }
    }
    sound
}

/// Returns the decoded texts of one parameter; none where it is missing.
pub(super) fn find<'h>(head: &'h Head, source: &TextSource, many: bool) -> Texts<'h> {
    match source {
        TextSource::Path(position) => {
            let raw = head.raw_param(*position);
            if many { raw.split(',').map(decode_segment).collect() } else { Ok(smallvec![decode_segment(raw)?]) }
        }
        TextSource::Query(name) => {
            let mut texts = SmallVec::new();
            for (key, value) in head.raw_query() {
                if is_named(key, name) {
                    texts.push(decode_query(value)?);
                }
            }
            Ok(texts)
        }
        TextSource::Header(name) => {
            let mut texts = SmallVec::new();
            for value in head.headers.get_all(name) {
                let text = header_text(value.as_bytes());
                if many {
                    texts.extend(text.split(',').map(|item| Cow::Owned(item.trim().to_owned())));
                } else {
                    texts.push(text);
                }
            }
            Ok(texts)
        }
        TextSource::Cookie(name) => {
            let Some(raw) = head.raw_cookie(name) else { return Ok(SmallVec::new()) };
            let text = decode_segment(raw)?;
            // A list is set as one encoded text, so it is split after decoding.
            Ok(if many {
                text.split(',').map(|item| Cow::Owned(item.trim().to_owned())).collect()
            } else {
                smallvec![text]
            })
        }
    }
}

/// Reads a header's bytes: UTF-8, and where they are not, ISO 8859-1, which is what HTTP once said (RFC 9110 section 5.5).
fn header_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect::<String>().into(),
    }
}

/// Decodes a JSON body into its slots. Answers whether it was right.
fn json<A: Action>(plan: &BodyPlan, bytes: &[u8], slots: &mut A::Slots) -> bool {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let filled = match *plan {
        BodyPlan::Fields { mask, .. } => record::fill::<A, _>(&mut json, slots, |index| mask >> index & 1 == 1),
        BodyPlan::Whole { field, .. } => A::put(slots, field, &mut json),
        BodyPlan::None | BodyPlan::Form { .. } => return true,
    };
    filled.is_ok() && json.end().is_ok()
}

/// Looks again at a request that could not be decoded, and names every mistake. What no check finds, `serde_mistake` does.
#[cold]
fn explain(input: &HttpInput<'_>, bytes: Option<&Bytes>, serde_mistake: fn(&BodyPlan, &[u8], &mut Checker)) -> Error {
    let mut checker = Checker::new(Place::Path);
    check_texts(input, &mut checker);
    let value: Value = match bytes.map(|bytes| serde_json::from_slice(bytes)) {
        None => return Error::invalid(checker.into_errors()),
        Some(Ok(value)) => value,
        Some(Err(error)) => return malformed(format!("the body is not JSON: {error}")),
    };
    checker.turn_to(Place::Body);
    match input.plan.body {
        BodyPlan::Fields { mask, .. } => {
            record::check(input.plan.fields, &value, &mut checker, |index| mask >> index & 1 == 1);
        }
        BodyPlan::Whole { field, .. } => input.plan.fields[field].check(&value, &mut checker),
        BodyPlan::None | BodyPlan::Form { .. } => {}
    }
    let bytes = bytes.map(Bytes::as_ref).unwrap_or_default();
    checker.turn_to(Place::Body);
    repeated_keys(bytes, &mut checker);
    if checker.count() == 0 {
        serde_mistake(&input.plan.body, bytes, &mut checker);
    }
    Error::invalid(checker.into_errors())
}

/// Names every mistake of the texts.
pub(super) fn check_texts(input: &HttpInput<'_>, checker: &mut Checker) {
    for (index, source) in &input.plan.texts {
        let field = &input.plan.fields[*index];
        checker.turn_to(source.place());
        let name = match source {
            TextSource::Path(position) => &input.plan.param_names[*position],
            TextSource::Query(name) | TextSource::Cookie(name) => name,
            TextSource::Header(_) => {
                &crate::action::placement::parameter_name(field, crate::action::placement::Placement::Header)
            }
        };
        let many = field.text.is_some_and(|form| form.many);
        checker.at_key(name, |checker| match find(input.head, source, many) {
            Err(mistake) => checker.fail(mistake.code, mistake.message),
            Ok(texts) if !texts.is_empty() => field.check_texts(&texts, checker),
            Ok(_) if field.required => checker.missing(),
            Ok(_) => {}
        });
    }
}

/// Reports serde's own error at its path: what the checks do not know.
fn serde_mistake<A: Action>(plan: &BodyPlan, bytes: &[u8], checker: &mut Checker) {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let mut slots = A::slots();
    let filled = match *plan {
        BodyPlan::Fields { mask, .. } => record::fill::<A, _>(tracked, &mut slots, |index| mask >> index & 1 == 1),
        BodyPlan::Whole { field, .. } => A::put(&mut slots, field, tracked),
        BodyPlan::None | BodyPlan::Form { .. } => Ok(()),
    };
    let message = match filled {
        Err(error) => error.to_string(),
        Ok(()) => "the input does not meet its rules".to_owned(),
    };
    let path = track.path();
    descend(&path.iter().collect::<Vec<_>>(), checker, &message);
}

fn descend(path: &[&serde_path_to_error::Segment], checker: &mut Checker, message: &str) {
    use serde_path_to_error::Segment;
    match path.split_first() {
        None => checker.fail("invalid", message),
        Some((Segment::Map { key }, rest)) => checker.at_key(key, |checker| descend(rest, checker, message)),
        Some((Segment::Seq { index }, rest)) => checker.at_index(*index, |checker| descend(rest, checker, message)),
        Some((_, rest)) => descend(rest, checker, message),
    }
}
