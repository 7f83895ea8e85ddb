//! Bodies of answers.

use std::{borrow::Cow, io::Read};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::schema;

/// Reports how a body deviates from the content that is documented.
pub(super) fn check(
    document: &Value,
    documented: &Value,
    headers: &[(String, String)],
    body: &[u8],
    deviations: &mut Vec<String>,
) {
    let header = |name: &str| {
        headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let Some(content) = documented["content"].as_object().filter(|content| !content.is_empty()) else {
        if !body.is_empty() {
            deviations.push(format!("no body is documented, this one has {} bytes", body.len()));
        }
        return;
    };
    let known = || content.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let Some(content_type) = header("content-type") else {
        deviations.push(format!("the header `Content-Type` is missing; documented are: {}", known()));
        return;
    };
    let Some((_, media)) = content.iter().find(|(documented, _)| fits(documented, content_type)) else {
        deviations.push(format!("the content type `{content_type}` is not documented; documented are: {}", known()));
        return;
    };
    let body = match decode(header("content-encoding"), body) {
        Ok(body) => body,
        Err(reason) => return deviations.push(reason),
    };
    let essence = essence(content_type);
    if essence == "application/json" || essence.ends_with("+json") {
        match serde_json::from_slice(&body) {
            Ok(value) => schema::check(document, &media["schema"], &value, "the body", deviations),
            Err(error) => deviations.push(format!("the body is not JSON: {error}")),
        }
    } else if essence == "text/event-stream" {
        events(document, &media["schema"]["x-event-schema"], &body, deviations);
    } else if essence.starts_with("text/") && std::str::from_utf8(&body).is_err() {
        deviations.push("the body is not UTF-8 text".to_owned());
    }
}

/// Checks the data of each event; an event's data may span lines (WHATWG HTML, section 9.2.6).
fn events(document: &Value, event: &Value, body: &[u8], deviations: &mut Vec<String>) {
    let Ok(text) = std::str::from_utf8(body) else {
        return deviations.push("the body is not UTF-8 text".to_owned());
    };
    for (index, block) in text.split("\n\n").enumerate() {
        let data: Vec<&str> =
            block.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
        if data.is_empty() {
            continue;
        }
        match serde_json::from_str(&data.join("\n")) {
            Ok(value) => schema::check(document, event, &value, &format!("event {index}"), deviations),
            Err(error) => deviations.push(format!("the data of event {index} is not JSON: {error}")),
        }
    }
}

fn decode<'b>(encoding: Option<&str>, body: &'b [u8]) -> Result<Cow<'b, [u8]>, String> {
    let mut plain = Vec::new();
    let decoded = match encoding.unwrap_or("identity") {
        "identity" => return Ok(Cow::Borrowed(body)),
        "gzip" => GzDecoder::new(body).read_to_end(&mut plain).map(drop),
        "br" => brotli::BrotliDecompress(&mut &*body, &mut plain),
        other => return Err(format!("the content coding `{other}` is not one that is written here")),
    };
    decoded.map_err(|error| format!("the body does not decode: {error}"))?;
    Ok(Cow::Owned(plain))
}

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Compares content types: by their parameters too where the document names some.
fn fits(documented: &str, given: &str) -> bool {
    let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
    plain(documented) == plain(given) || !documented.contains(';') && essence(documented) == essence(given)
}
