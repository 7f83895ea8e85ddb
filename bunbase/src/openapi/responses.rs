//! What an operation answers: its success, and every way in which it can fail.

use std::collections::BTreeMap;

use okapi::{
    Map,
    openapi3::{Example, ExampleValue, Header, MediaType, ParameterValue, Ref, RefOr, Response},
};
use schemars::schema::{InstanceType, SchemaObject};
use serde_json::{Value, json};

use super::{
    Builder, Refusals,
    parameters::not_null,
    problem::{self, PROBLEM, raw},
};
use crate::{
    action::{ActionMeta, ErrorVariant, HeaderDoc},
    guard::GuardDoc,
    registry::Registered,
};

/// The component that says what every answer carries.
pub(super) const TRACE_HEADER: &str = "TraceId";
/// The component that says when to come back.
pub(super) const RETRY_HEADER: &str = "RetryAfter";

/// The component that says how to authenticate.
const CHALLENGE_HEADER: &str = "Challenge";

/// What about an operation decides how the framework itself can fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traits {
    /// Whether it reads a body of JSON.
    pub(super) json: bool,
    /// Whether it reads a form with files.
    pub(super) form: bool,
    /// Whether it decodes anything.
    pub(super) input: bool,
    /// Whether an error of a database may come to the caller. One that comes from nowhere but the action's and its guards' own errors
    /// cannot, where all of them say everything that they are.
    pub(super) database: bool,
    /// Whether its time is limited.
    pub(super) timeout: bool,
    /// Whether it takes an idempotency key.
    pub(super) idempotent: bool,
    /// Whether it changes nothing.
    pub(super) is_safe: bool,
}

impl Traits {
    fn has_body(self) -> bool {
        self.json || self.form
    }
}

/// Returns the status and the answer of a success.
pub(super) fn success(action: &Registered, guards: &[GuardDoc], builder: &mut Builder<'_>) -> (u16, Response) {
    let meta = &action.entry.meta;
    let doc = (action.entry.output)(&mut builder.generator);
    let mut status = meta.status.unwrap_or(doc.status);
    if status == 200 && doc.content.is_none() {
        status = 204;
    }
    let mut response = Response { description: doc.description.into_owned(), ..Response::default() };
    let said: Vec<HeaderDoc> = doc.headers.into_iter().chain(of_guards(guards)).chain(of_cache(meta)).collect();
    response.headers = headers(&said);
    response.headers.insert("x-trace-id".to_owned(), header_ref(TRACE_HEADER));
    if let Some((content_type, node)) = doc.content.filter(|_| !matches!(status, 204 | 205 | 304)) {
        let content_type = meta.content_type.map_or_else(|| content_type.into_owned(), str::to_owned);
        let media = MediaType { schema: Some(node.into_object()), ..MediaType::default() };
        response.content.insert(content_type, media);
    }
    (status, response)
}

/// Returns the answer to a webhook's delivery, and how one can be refused, by status.
/// `guards` are those that count deliveries.
pub(super) fn of_webhook(
    has_body: bool,
    guards: &[GuardDoc],
    builder: &mut Builder<'_>,
) -> BTreeMap<u16, RefOr<Response>> {
    let accepted = json!({
        "type": "object",
        "required": ["delivery_id"],
        "properties": { "delivery_id": { "type": "string", "description": "The id of the delivery; a second one with it changes nothing." } },
    });
    let media = MediaType { schema: Some(raw(accepted)), ..MediaType::default() };
    let mut response = Response { description: "The delivery is stored.".to_owned(), ..Response::default() };
    response.headers = headers(&of_guards(guards));
    response.headers.insert("x-trace-id".to_owned(), header_ref(TRACE_HEADER));
    response.content.insert("application/json".to_owned(), media);
    let mut found = BTreeMap::from([(202, RefOr::Object(response))]);
    let mut failures: Vec<(_, &[ErrorVariant])> = vec![
        ("NotSigned", &[problem::NOT_SIGNED]),
        ("PayloadTooLarge", &[problem::TOO_LARGE]),
        ("InternalError", &[problem::INTERNAL]),
        ("ServiceUnavailable", &[problem::DATABASE_AWAY, problem::DATABASE_BUSY]),
        ("DatabaseTimeout", &[problem::DATABASE_TIMEOUT]),
    ];
    failures.push(if has_body {
        ("BadRequest", &[problem::NOT_JSON, problem::BROKEN_OFF])
    } else {
        ("BrokenOff", &[problem::BROKEN_OFF])
    });
    failures.extend(before(builder.info.refusals, true));
    for (name, variants) in failures {
        let status = variants[0].status;
        builder.responses.entry(name.to_owned()).or_insert_with(|| failure(status, variants, false));
        found.insert(status, response_ref(name));
    }
    let mut declared: BTreeMap<u16, Vec<ErrorVariant>> = BTreeMap::new();
    for variant in guards.iter().flat_map(|guard| &guard.errors) {
        let variants = declared.entry(variant.status).or_insert_with(|| match variant.status {
            503 => vec![problem::DATABASE_AWAY, problem::DATABASE_BUSY],
            _ => Vec::new(),
        });
        if !variants.iter().any(|known| known.code == variant.code) {
            variants.push(*variant);
        }
    }
    for (status, variants) in declared {
        let mut response = failure(status, &variants, false);
        response.headers.extend(headers(&of_guards(guards)));
        found.insert(status, RefOr::Object(response));
    }
    found
}

/// Returns the headers of an answer that is kept.
fn of_cache(meta: &ActionMeta) -> Vec<HeaderDoc> {
    let text = || SchemaObject { instance_type: Some(InstanceType::String.into()), ..SchemaObject::default() };
    let doc = |name: &'static str, description: &'static str| HeaderDoc {
        name: name.into(),
        description: description.into(),
        required: true,
        schema: text().into(),
    };
    if meta.cache.is_none() {
        return Vec::new();
    }
    vec![
        doc("Cache-Control", "How long the answer may be kept, and by whom (RFC 9111)."),
        doc("ETag", "The version of the answer, for `If-None-Match`."),
        doc("Cache-Status", "Whether the answer was there already (RFC 9211)."),
    ]
}

/// Returns the answer to a caller that has the success already: its headers alone.
pub(super) fn not_modified(success: &Response) -> Response {
    let description = "The caller has this answer already.".to_owned();
    Response { description, headers: success.headers.clone(), ..Response::default() }
}

/// Returns the headers that guards add, each once.
fn of_guards(guards: &[GuardDoc]) -> Vec<HeaderDoc> {
    let mut docs: Vec<HeaderDoc> = Vec::new();
    for doc in guards.iter().flat_map(|guard| &guard.headers) {
        if !docs.iter().any(|known| known.name == doc.name) {
            docs.push(doc.clone());
        }
    }
    docs
}

/// Returns the headers of an answer by name. A name that is there several times is one entry: OpenAPI has no other way.
fn headers(docs: &[HeaderDoc]) -> Map<String, RefOr<Header>> {
    let mut grouped: BTreeMap<String, Vec<&HeaderDoc>> = BTreeMap::new();
    for doc in docs {
        let known = grouped.keys().find(|name| name.eq_ignore_ascii_case(&doc.name)).cloned();
        grouped.entry(known.unwrap_or_else(|| doc.name.clone().into_owned())).or_default().push(doc);
    }
    let one = |docs: Vec<&HeaderDoc>| {
        let descriptions: Vec<&str> =
            docs.iter().map(|doc| doc.description.as_ref()).filter(|text| !text.is_empty()).collect();
        let schema = match docs.as_slice() {
            [doc] => not_null(doc.schema.clone().into_object()),
            _ => SchemaObject { instance_type: Some(InstanceType::String.into()), ..SchemaObject::default() },
        };
        let required = docs.iter().any(|doc| doc.required);
        RefOr::Object(header((!descriptions.is_empty()).then(|| descriptions.join("\n\n")), required, schema))
    };
    grouped.into_iter().map(|(name, docs)| (name, one(docs))).collect()
}

/// Makes a header.
pub(super) fn header(description: Option<String>, required: bool, schema: SchemaObject) -> Header {
    let value = ParameterValue::Schema {
        style: None,
        explode: None,
        allow_reserved: false,
        schema,
        example: None,
        examples: None,
    };
    Header { description, required, deprecated: false, allow_empty_value: false, value, extensions: Map::default() }
}

fn header_ref(name: &str) -> RefOr<Header> {
    RefOr::Ref(Ref { reference: format!("#/components/headers/{name}") })
}

/// Returns the answers of an operation that fails, by status, and the one for all other statuses where there can be others.
///
/// An operation that can fail in ways nobody has listed is called open. Its answers name the codes that are known and
/// promise no others, and a `default` stands for the statuses that are not known.
pub(super) fn failures(
    action: &Registered,
    guards: &[GuardDoc],
    traits: Traits,
    builder: &mut Builder<'_>,
) -> (BTreeMap<u16, RefOr<Response>>, Option<RefOr<Response>>) {
    let check = action.entry.check_errors;
    let open = action.entry.open_errors || check.open || guards.iter().any(|guard| guard.open_errors);
    let mut declared: BTreeMap<u16, Vec<ErrorVariant>> = BTreeMap::new();
    for variant in guards.iter().flat_map(|guard| &guard.errors).chain(check.variants).chain(action.entry.errors) {
        declared.entry(variant.status).or_default().push(*variant);
    }
    let challenged = guards.iter().any(|guard| !guard.security.is_empty());
    let mut found = BTreeMap::new();
    let refusals = builder.info.refusals;
    let cross_site = (refusals.cross_site && !traits.is_safe).then_some(CROSS_SITE);
    for (name, variants) in own(traits).into_iter().chain(cross_site).chain(before(refusals, traits.has_body())) {
        let status = variants[0].status;
        match declared.get_mut(&status) {
            // The action says what the framework says anyway, such as by `#[error(internal)]`.
            Some(more) if more.iter().all(|one| variants.iter().any(|own| own.code == one.code)) => {
                declared.remove(&status)
            }
            Some(more) => {
                more.extend(variants);
                continue;
            }
            None => None,
        };
        let name = format!("{}{name}", if open { "Any" } else { "" });
        builder.responses.entry(name.clone()).or_insert_with(|| failure(status, variants, open));
        found.insert(status, response_ref(&name));
    }
    for (status, mut variants) in declared {
        let mut codes = Vec::new();
        variants.retain(|variant| {
            let is_new = !codes.contains(&variant.code);
            codes.push(variant.code);
            is_new
        });
        let mut response = failure(status, &variants, open);
        if status == 429 {
            response.headers.extend(headers(&of_guards(guards)));
        }
        if status == 401 && challenged {
            response.headers.insert("WWW-Authenticate".to_owned(), header_ref(CHALLENGE_HEADER));
        }
        found.insert(status, RefOr::Object(response));
    }
    let default = open.then(|| {
        let name = "AnyError";
        let description = "Another error: this operation passes on errors whose status is not known beforehand.";
        let response = failure_with(description.to_owned(), reference(), &[]);
        builder.responses.entry(name.to_owned()).or_insert(response);
        response_ref(name)
    });
    (found, default)
}

/// The answer to a page of another origin. Whoever delivers to a webhook is let in, because of the signature.
const CROSS_SITE: (&str, &[ErrorVariant]) = ("CrossSite", &[problem::CROSS_SITE]);

/// Returns how a request to any route is refused, as [`own`] does.
fn before(refusals: Refusals, has_body: bool) -> impl Iterator<Item = (&'static str, &'static [ErrorVariant])> {
    let all: [(bool, &str, &[ErrorVariant]); 3] = [
        (refusals.slow_bodies && has_body, "SlowBody", &[problem::SLOW_BODY]),
        (refusals.long_targets, "LongTarget", &[problem::LONG_TARGET]),
        (refusals.other_hosts, "OtherHost", &[problem::OTHER_HOST]),
    ];
    all.into_iter().filter(|(is_possible, ..)| *is_possible).map(|(_, name, variants)| (name, variants))
}

/// Returns how the framework itself can fail: for each status, the component of the answer and its variants.
fn own(traits: Traits) -> Vec<(&'static str, &'static [ErrorVariant])> {
    let mut own: Vec<(_, &[ErrorVariant])> = Vec::new();
    if traits.json {
        own.push(("BadRequest", &[problem::NOT_JSON, problem::BROKEN_OFF]));
        own.push(("PayloadTooLarge", &[problem::TOO_LARGE]));
    }
    if traits.form {
        own.push(("BadForm", &[problem::NOT_A_FORM, problem::BROKEN_OFF]));
        own.push(("FormTooLarge", &[problem::TOO_LARGE, problem::FILE_TOO_LARGE, problem::TOO_MANY_PARTS]));
    }
    if traits.has_body() {
        own.push(("UnsupportedMediaType", &[problem::WRONG_TYPE]));
    }
    match (traits.input, traits.idempotent) {
        (true, false) => own.push(("InvalidInput", &[problem::INVALID])),
        (true, true) => own.push(("InvalidInputOrKey", &[problem::INVALID, problem::OTHER_INPUT, problem::NO_KEY])),
        (false, true) => own.push(("InvalidKey", &[problem::NO_KEY])),
        (false, false) => {}
    }
    if traits.idempotent {
        own.push(("StillRunning", &[problem::STILL_RUNNING]));
    }
    own.push(("InternalError", &[problem::INTERNAL]));
    if traits.database {
        own.push(("ServiceUnavailable", &[problem::DATABASE_AWAY, problem::DATABASE_BUSY]));
    }
    match (traits.timeout, traits.database) {
        (true, true) => own.push(("Timeout", &[problem::TIMED_OUT, problem::DATABASE_TIMEOUT])),
        (true, false) => own.push(("TimeLimit", &[problem::TIMED_OUT])),
        (false, true) => own.push(("DatabaseTimeout", &[problem::DATABASE_TIMEOUT])),
        (false, false) => {}
    }
    own
}

fn response_ref(name: &str) -> RefOr<Response> {
    RefOr::Ref(Ref { reference: format!("#/components/responses/{name}") })
}

fn reference() -> SchemaObject {
    SchemaObject::new_ref(problem::component(PROBLEM))
}

/// Returns the answer for one status with its variants, whose codes are distinct.
fn failure(status: u16, variants: &[ErrorVariant], open: bool) -> Response {
    let words =
        |variant: &ErrorVariant| if variant.docs.is_empty() { variant.message } else { variant.docs }.to_owned();
    let description = match variants {
        [variant] => words(variant),
        _ => variants
            .iter()
            .map(|variant| format!("- `{}`: {}", variant.code, words(variant)))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    let mut narrowed = json!({ "type": "object", "properties": { "status": { "type": "integer", "enum": [status] } } });
    if !open {
        let codes: Vec<_> = variants.iter().map(|variant| variant.code).collect();
        narrowed["properties"]["code"] = json!({ "type": "string", "enum": codes });
        if codes == [problem::INVALID.code] {
            narrowed["required"] = json!(["errors"]);
        }
    }
    let schema = raw(json!({ "allOf": [{ "$ref": problem::component(PROBLEM) }, narrowed] }));
    let mut response = failure_with(description, schema, variants);
    if matches!(status, 429 | 503) || variants.iter().any(|variant| variant.code == problem::STILL_RUNNING.code) {
        response.headers.insert("Retry-After".to_owned(), header_ref(RETRY_HEADER));
    }
    response
}

fn failure_with(description: String, schema: SchemaObject, variants: &[ErrorVariant]) -> Response {
    let example = |variant: &ErrorVariant| Example {
        summary: variant.docs.lines().next().filter(|line| !line.is_empty()).map(str::to_owned),
        description: None,
        value: ExampleValue::Value(problem::example(variant)),
        extensions: Map::default(),
    };
    let examples: Map<_, _> = variants.iter().map(|variant| (variant.code.to_owned(), example(variant))).collect();
    let media = MediaType {
        schema: Some(schema),
        examples: (!examples.is_empty()).then_some(examples),
        ..MediaType::default()
    };
    let mut response = Response { description, ..Response::default() };
    response.headers.insert("x-trace-id".to_owned(), header_ref(TRACE_HEADER));
    response.content.insert(problem::CONTENT_TYPE.to_owned(), media);
    response
}

/// Returns the headers that answers refer to.
pub(super) fn header_components() -> Map<String, RefOr<Header>> {
    let text = |description: &str| Some(description.to_owned());
    let trace = json!({ "type": "string", "pattern": problem::TRACE_ID, "example": problem::SOME_TRACE_ID });
    let seconds: Value = json!({ "type": "integer", "minimum": 0, "example": 1 });
    let challenge = json!({ "type": "string" });
    [
        (CHALLENGE_HEADER, header(text("How to authenticate (RFC 9110 section 11.6.1)."), true, raw(challenge))),
        (TRACE_HEADER, header(text("The trace id of this request (W3C Trace Context)."), true, raw(trace))),
        (RETRY_HEADER, header(text("After how many seconds another attempt makes sense."), true, raw(seconds))),
    ]
    .into_iter()
    .map(|(name, header)| (name.to_owned(), RefOr::Object(header)))
    .collect()
}
