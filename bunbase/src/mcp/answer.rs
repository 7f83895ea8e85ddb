//! What a run answers, as a model reads it.

use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Value, json};

use super::{
    schema::{RESULT, Shape},
    tool::Entry,
};
use crate::{
    Error, Result,
    action::{Body, Reply},
    context::TraceId,
    error::Problem,
};

/// Makes an answer of a success. Status, headers and cookies are HTTP's and stay out of it.
///
/// # Errors
/// 400 for a stream, which no tool can answer; 500 when JSON was promised and is none.
pub(super) fn success(entry: &Entry, reply: Reply) -> Result<CallToolResult> {
    let (content_type, bytes) = match reply.body {
        Body::Empty => return Ok(CallToolResult::success(Vec::new())),
        Body::Bytes { content_type, bytes } => (content_type, bytes),
        Body::Stream { .. } => return Err(Error::bad_request("this action answers a stream; call it over HTTP")),
    };
    let value: Value = match entry.shape {
        Shape::Raw => {
            let content_type = entry.content_type.unwrap_or(&content_type);
            return Ok(CallToolResult::success(vec![raw(content_type, &bytes, &entry.tool.name)]));
        }
        Shape::Object(_) => serde_json::from_slice(&bytes)?,
        Shape::Wrapped(_) => json!({ RESULT: serde_json::from_slice::<Value>(&bytes)? }),
    };
    // The same as text, for clients that know no structured answers.
    let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
    result.structured_content = Some(value);
    Ok(result)
}

/// Makes an answer of a failure: the problem document that HTTP would answer.
pub(super) fn failure(error: &Error, trace: TraceId) -> CallToolResult {
    let hex = trace.to_hex();
    let problem = Problem::new(error, std::str::from_utf8(&hex).unwrap_or_default());
    CallToolResult::error(vec![ContentBlock::text(problem.to_json())])
}

/// Makes content of bytes: text, an image or sound as what it is, anything else as a resource that the answer carries.
fn raw(content_type: &str, bytes: &[u8], tool: &str) -> ContentBlock {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if is_text(&kind)
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return ContentBlock::text(text);
    }
    let data = STANDARD.encode(bytes);
    match kind.split('/').next() {
        Some("image") => ContentBlock::image(data, kind),
        Some("audio") => ContentBlock::audio(data, kind),
        _ => ContentBlock::resource(ResourceContents::blob(data, format!("tool:{tool}")).with_mime_type(kind)),
    }
}

fn is_text(kind: &str) -> bool {
    const TEXTS: [&str; 5] =
        ["application/json", "application/xml", "application/yaml", "application/javascript", "application/x-ndjson"];
    kind.starts_with("text/") || kind.ends_with("+json") || kind.ends_with("+xml") || TEXTS.contains(&kind)
}
