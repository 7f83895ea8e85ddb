//! Holds a real answer against the document.
//!
//! Here: which operation a request reached, and every way in which its answer deviates from what the document says of it. Not
//! here: making requests (`testing`). JSON Schema itself is the crate `jsonschema`'s business.

mod content;
mod schema;

use serde_json::Value;

use crate::error::code;

/// The codes of what the server refuses whatever the operation: the document says nothing of them.
const REFUSALS: [&str; 4] = [code::BODY_TIMEOUT, code::CSRF_REFUSED, code::HOST_REFUSED, code::URI_TOO_LONG];

/// Returns every deviation of an answer from the document, in words; none for a request that reaches no operation of it.
///
/// `path` is a request's path or a template of the document, without a query. `body` is as it was sent: a content coding is
/// undone here.
///
/// ```
/// # use serde_json::json;
/// let document = json!({ "paths": { "/tasks/{id}": { "get": { "responses": { "204": { "description": "Gone." } } } } } });
/// let deviations = bunbase::openapi::validate::response(&document, "GET", "/tasks/7", 200, &[], b"");
/// assert_eq!(deviations, ["status 200 is not documented; documented are: 204"]);
/// ```
pub fn response(
    document: &Value,
    method: &str,
    path: &str,
    status: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> Vec<String> {
    let is_head = method.eq_ignore_ascii_case("HEAD");
    let method = if is_head { "get".to_owned() } else { method.to_lowercase() };
    let Some(operation) = find(document, path).and_then(|item| item.get(method)) else { return Vec::new() };
    if is_refusal(status, body) {
        return Vec::new();
    }
    let responses = &operation["responses"];
    let Some(documented) = responses.get(status.to_string()).or_else(|| responses.get("default")) else {
        let known: Vec<_> = responses.as_object().into_iter().flat_map(|all| all.keys().map(String::as_str)).collect();
        return vec![format!("status {status} is not documented; documented are: {}", known.join(", "))];
    };
    let documented = resolve(document, documented);
    let mut deviations = Vec::new();
    check_headers(document, documented, headers, &mut deviations);
    if is_head || matches!(status, 204 | 304) {
        if !body.is_empty() {
            deviations.push(format!(
                "an answer to {} has no body, this one has {} bytes",
                if is_head { "HEAD" } else { "this status" },
                body.len()
            ));
        }
        return deviations;
    }
    content::check(document, documented, headers, body, &mut deviations);
    deviations
}

fn is_refusal(status: u16, body: &[u8]) -> bool {
    let code = || serde_json::from_slice::<Value>(body).ok()?.get("code")?.as_str().map(str::to_owned);
    matches!(status, 403 | 408 | 414 | 421) && code().is_some_and(|code| REFUSALS.contains(&code.as_str()))
}

/// Returns the path item that a path reaches: the one whose fixed segments come first, as in routing.
fn find<'d>(document: &'d Value, path: &str) -> Option<&'d Value> {
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |template: &str, item: &Value| {
        let parts: Vec<&str> = template.split('/').collect();
        let is_enough =
            parts.len() == segments.len() || parts.len() < segments.len() && spans_segments(item, parts.last());
        let fixed: Vec<bool> = parts.iter().zip(&segments).map(|(part, segment)| part == segment).collect();
        let all = parts.iter().zip(&segments).all(|(part, segment)| {
            part == segment || part.starts_with('{') && part.ends_with('}') && !segment.is_empty()
        });
        (is_enough && all).then_some(fixed)
    };
    let paths = document["paths"].as_object()?;
    let found = paths.iter().filter_map(|(template, item)| Some((fits(template, item)?, item)));
    found.max_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, item)| item)
}

/// Returns whether the last parameter of a template takes the rest of the path.
fn spans_segments(item: &Value, last: Option<&&str>) -> bool {
    let operations = item.as_object().into_iter().flat_map(serde_json::Map::values);
    let mut parameters = operations.filter_map(|operation| operation["parameters"].as_array()).flatten();
    parameters.any(|parameter| {
        parameter["x-rest-of-path"] == true
            && last.is_some_and(|last| parameter["name"].as_str() == Some(last.trim_matches(['{', '}'])))
    })
}

/// Follows a reference within the document.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn check_headers(document: &Value, documented: &Value, headers: &[(String, String)], deviations: &mut Vec<String>) {
    for (name, header) in documented["headers"].as_object().into_iter().flatten() {
        let header = resolve(document, header);
        let mut given =
            headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).peekable();
        if given.peek().is_none() && header["required"] == true {
            deviations.push(format!("the header `{name}` is missing"));
        }
        for text in given {
            let value = schema::from_text(document, &header["schema"], text);
            schema::check(document, &header["schema"], &value, &format!("the header `{name}`"), deviations);
        }
    }
}

#[cfg(test)]
mod tests;
