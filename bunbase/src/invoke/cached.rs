//! Answers that are kept: `cache(…)` of an action that reads.

use std::{borrow::Cow, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{Answer, CallError, Runner, attempts::Writing};
use crate::{
    Error, Result,
    action::{Action, Body, CachePolicy, Reply},
    context::{Ctx, Identity},
};

/// The name under which this cache tells of itself (RFC 9211).
const NAME: &str = "bunbase";

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// The body where it is text, which JSON is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The body where it is not, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    etag: String,
    made_at: DateTime<Utc>,
}

impl Runner {
    /// Second half of a run whose answers are kept: one that is there, or the handler's. However many ask for one answer, on however
    /// many instances, it is made once at a time.
    ///
    /// # Errors
    /// The handler's own, for all who waited for it; an error is not kept.
    pub(super) async fn cached<A: Action>(
        &self,
        policy: CachePolicy,
        ctx: &Ctx,
        provided: A::Provided,
        message: A,
        started: Instant,
    ) -> Result<Answer, CallError<A::Error>> {
        let input = serde_json::to_value(&message).map_err(Error::from)?;
        let making = async {
            let writing = Writing { kept: None };
            self.perform::<A, _>(ctx, provided, message, writing, started).await.map_err(Error::from)
        };
        // In a box, so that what follows is compiled once in a program, and not once for each action.
        Ok(self.kept_or_made(policy, ctx, &input, Box::pin(making)).await?)
    }

    async fn kept_or_made(
        &self,
        policy: CachePolicy,
        ctx: &Ctx,
        input: &Value,
        making: BoxFuture<'_, Result<Reply>>,
    ) -> Result<Answer> {
        let cache = ctx.cache();
        let tags = policy.tags.iter().map(|tag| filled(tag, input));
        let entry = cache.entry(self.cache_key(policy, ctx, input)?, policy.ttl).stale(policy.stale).tags(tags);
        let mut is_made = false;
        let kept: Kept = entry
            .get_or_load(async || {
                is_made = true;
                Kept::of(making.await?, ctx.now())
            })
            .await?;
        let reply = kept.reply(policy, ctx, self.is_public(policy, ctx), is_made)?;
        Ok(self.first_answer(ctx, reply))
    }

    /// Returns the key of an answer: the action, and what makes its answers differ.
    fn cache_key(&self, policy: CachePolicy, ctx: &Ctx, input: &Value) -> Result<String> {
        let mut differs = Sha256::new();
        if policy.user {
            // With roles and permissions: the answer may depend on them.
            differs.update(serde_json::to_vec(&ctx.identity())?);
        }
        differs.update([0]);
        if policy.input {
            // The keys of an object are in order, so equal inputs have equal texts.
            differs.update(serde_json::to_vec(input)?);
        }
        Ok(format!("action/{}/{}", self.name, URL_SAFE_NO_PAD.encode(differs.finalize())))
    }

    /// Returns whether a cache between client and server may show the answer to others: nobody is known, and nothing but limits stood
    /// before it.
    fn is_public(&self, policy: CachePolicy, ctx: &Ctx) -> bool {
        let is_anonymous = ctx.identity() == Identity::Anonymous;
        let shows_itself = ctx.request().is_some_and(|request| request.header("authorization").is_some());
        // Which tenant it is about may not be said by the URL.
        self.admits_everybody && !policy.user && is_anonymous && !shows_itself && ctx.tenant().is_none()
    }
}

impl Kept {
    fn of(reply: Reply, made_at: DateTime<Utc>) -> Result<Self> {
        if !reply.cookies.is_empty() {
            return Err(Error::internal(
                "an answer that sets cookies is for one caller, and cannot be kept for others",
            ));
        }
        let mut digest = Sha256::new();
        digest.update(reply.status.to_be_bytes());
        let (content_type, text, bytes) = match reply.body {
            Body::Empty => (None, None, None),
            Body::Bytes { content_type, bytes } => {
                digest.update(content_type.as_bytes());
                digest.update(&bytes);
                let content_type = Some(content_type.into_owned());
                match String::from_utf8(bytes.into()) {
                    Ok(text) => (content_type, Some(text), None),
                    Err(error) => (content_type, None, Some(STANDARD.encode(error.as_bytes()))),
                }
            }
            Body::Stream { .. } => return Err(Error::internal("a stream cannot be kept")),
        };
        let headers = reply.headers.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        // Weak: the same content may be sent compressed or not.
        let etag = format!("W/\"{}\"", &URL_SAFE_NO_PAD.encode(digest.finalize())[..22]);
        Ok(Self { status: reply.status, headers, content_type, text, bytes, etag, made_at })
    }

    /// Makes the answer again, and says how long others may keep it (RFC 9111, RFC 5861).
    fn reply(self, policy: CachePolicy, ctx: &Ctx, is_public: bool, is_made: bool) -> Result<Reply> {
        let age = if is_made { Duration::ZERO } else { (ctx.now() - self.made_at).to_std().unwrap_or_default() };
        let left = policy.ttl.saturating_sub(age);
        let mut reply = match (self.content_type, self.text, self.bytes) {
            (Some(content_type), Some(text), _) => Reply::bytes(self.status, content_type, text),
            (Some(content_type), None, Some(encoded)) => {
                let bytes = STANDARD.decode(encoded).map_err(Error::internal)?;
                Reply::bytes(self.status, content_type, Bytes::from(bytes))
            }
            _ => Reply::empty(self.status),
        };
        reply.headers.extend(self.headers.into_iter().map(|(name, value)| (Cow::Owned(name), value)));
        let scope = if is_public { "public" } else { "private" };
        let stale = match policy.stale {
            Duration::ZERO => String::new(),
            stale => format!(", stale-while-revalidate={}", stale.as_secs()),
        };
        let mut add = |name: &'static str, value: String| {
            // What the action says itself stands.
            if !reply.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                reply.headers.push((Cow::Borrowed(name), value));
            }
        };
        add("cache-control", format!("{scope}, max-age={}{stale}", left.as_secs()));
        add("etag", self.etag);
        let status = if is_made { "fwd=miss".to_owned() } else { format!("hit; ttl={}", left.as_secs()) };
        add("cache-status", format!("{NAME}; {status}"));
        Ok(reply)
    }
}

/// Fills the fields of a tag in; a text as it is, other values as JSON.
fn filled(tag: &str, input: &Value) -> String {
    let mut text = String::with_capacity(tag.len());
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, after)) = after.split_once('}') else { break };
        match &input[name] {
            Value::String(value) => text.push_str(value),
            value => text.push_str(&value.to_string()),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_fields_of_a_tag_are_filled_in() {
        let input = json!({ "sku": "a/b", "page": 3 });
        assert_eq!(filled("catalog", &input), "catalog");
        assert_eq!(filled("sku/{sku}", &input), "sku/a/b");
        assert_eq!(filled("{sku}-{page}-{missing}!", &input), "a/b-3-null!");
    }

    #[test]
    fn an_answer_that_is_kept_is_the_same_again() {
        let made_at = Utc::now();
        for body in [&b"{\"a\":1}"[..], &[0xff, 0x00, 0x7f]] {
            let reply = Reply::bytes(200, "application/octet-stream", body);
            let kept = Kept::of(reply, made_at).unwrap();
            let kept: Kept = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
            let again = kept.text.map(String::into_bytes).or(kept.bytes.map(|bytes| STANDARD.decode(bytes).unwrap()));
            assert_eq!(again.as_deref(), Some(body));
        }
        let tag = |body: &'static str| Kept::of(Reply::bytes(200, "text/plain", body), made_at).unwrap().etag;
        assert_eq!(tag("a"), tag("a"));
        assert_ne!(tag("a"), tag("b"));
        assert!(tag("a").starts_with("W/\"") && tag("a").len() == 26, "{}", tag("a"));
    }
}
