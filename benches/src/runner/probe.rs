//! Single requests, to see that a server answers what it should.

use std::time::Duration;

use serde_json::Value;

use super::scenario::{Request, Scenario, Twin};
use crate::Result;

/// How long a single answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[cfg(test)]
    pub(crate) fn new(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, content_type: content_type.to_owned(), headers: Vec::new(), body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns a header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> std::result::Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| format!("is no JSON: {error}"))
    }

    /// Says whether a value is at a place in the document.
    pub(crate) fn has(&self, pointer: &str, expected: &Value) -> std::result::Result<(), String> {
        match self.json()?.pointer(pointer) {
            Some(value) if value == expected => Ok(()),
            Some(value) => Err(format!("has {value} at {pointer}, and {expected} is expected")),
            None => Err(format!("has nothing at {pointer}, and {expected} is expected")),
        }
    }

    /// Says whether it is this document.
    pub(crate) fn is_json(&self, expected: &Value) -> std::result::Result<(), String> {
        if self.json()? == *expected {
            Ok(())
        } else {
            Err("is another document than the one that is expected".to_owned())
        }
    }

    /// The beginning of its body, for a message.
    fn beginning(&self) -> String {
        let text: String = self.text().chars().take(300).collect();
        text.replace('\n', " ")
    }
}

/// Sends single requests.
pub(crate) struct Prober {
    agent: ureq::Agent,
}

impl Prober {
    pub(crate) fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            // Load tools ask for none either.
            .accept_encoding("identity")
            .build();
        Self { agent: config.new_agent() }
    }

    /// Sends one request to the first of its paths.
    ///
    /// # Errors
    /// There is no answer.
    pub(crate) fn ask(&self, base: &str, request: &Request) -> Result<Answer> {
        let path = request.paths.first().copied().unwrap_or("/");
        let mut builder = ureq::http::Request::builder().method(request.method).uri(format!("{base}{path}"));
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let body = match &request.body {
            Some(body) => {
                builder = builder.header("content-type", &body.content_type);
                body.bytes.clone()
            }
            None => Vec::new(),
        };
        let answer = match request.body {
            Some(_) => self.agent.run(builder.body(body)?),
            None => self.agent.run(builder.body(())?),
        };
        let mut answer = answer.map_err(|error| format!("{} {path} is not answered: {error}", request.method))?;
        let headers: Vec<(String, String)> = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let content_type = headers.iter().find(|(name, _)| name == "content-type");
        let content_type = content_type.map(|(_, value)| value.clone()).unwrap_or_default();
        let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        Ok(Answer { status: answer.status().as_u16(), content_type, headers, body })
    }

    /// Sends the request of a scenario and checks the answer.
    ///
    /// # Errors
    /// There is none, or it is not what the scenario expects.
    pub(crate) fn check(&self, base: &str, scenario: &Scenario, request: &Request) -> Result<Answer> {
        let answer = self.ask(base, request)?;
        judge(scenario, &answer)?;
        Ok(answer)
    }
}

/// Says whether an answer is what the scenario expects.
pub(crate) fn judge(scenario: &Scenario, answer: &Answer) -> Result<()> {
    let judged = match answer.status {
        200 => (scenario.expects)(answer),
        status => Err(format!("has status {status}")),
    };
    let path = scenario.request.paths.first().copied().unwrap_or_default();
    judged
        .map_err(|why| format!("the answer to {} {path} {why}: {}", scenario.request.method, answer.beginning()).into())
}

/// Says whether the twin answers the same.
pub(crate) fn is_same(scenario: &Scenario, ours: &Answer, twins: &Answer) -> Result<()> {
    let bodies = match scenario.twin {
        Twin::None => return Ok(()),
        Twin::Same | Twin::Copy => (ours.body.clone(), twins.body.clone()),
        Twin::SameRow => (masked(&ours.text()).into_bytes(), masked(&twins.text()).into_bytes()),
    };
    if bodies.0 == bodies.1 {
        return Ok(());
    }
    let text = format!(
        "the twin answers something else in `{}`:\n  {}\n  {}",
        scenario.name,
        ours.beginning(),
        twins.beginning()
    );
    Err(text.into())
}

/// Replaces each number by a `0`: rows that were stored one after the other differ in those.
fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            // Of any length.
            '0'..='9' if masked.ends_with('0') => {}
            '0'..='9' => masked.push('0'),
            other => masked.push(other),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::scenario;

    fn scenario(name: &str) -> Scenario {
        scenario::chosen(&[name.to_owned()]).unwrap().remove(0)
    }

    fn answer(status: u16, text: &str) -> Answer {
        Answer::new(status, "application/json", text.as_bytes().to_vec())
    }

    #[test]
    fn another_status_fails_whatever_the_body_is() {
        let body = r#"{"id":42,"tenant":"acme","limit":10,"q":"hello"}"#;
        let scenario = scenario("action-get");
        assert!(judge(&scenario, &answer(200, body)).is_ok());
        let error = judge(&scenario, &answer(503, body)).unwrap_err().to_string();
        assert!(error.contains("status 503") && error.contains("/items/42"), "{error}");
    }

    #[test]
    fn a_twin_answers_byte_for_byte() {
        let scenario = scenario("action-get");
        assert!(is_same(&scenario, &answer(200, r#"{"a":1}"#), &answer(200, r#"{"a":1}"#)).is_ok());
        assert!(is_same(&scenario, &answer(200, r#"{"a":1}"#), &answer(200, r#"{"a": 1}"#)).is_err());
    }

    #[test]
    fn rows_differ_in_their_numbers_only() {
        let row = |id: u32, title: &str| {
            answer(200, &format!(r#"{{"id":{id},"title":"{title}","created_at":"2026-11-29T06:45:{id}.1Z"}}"#))
        };
        let scenario = scenario("db-write");
        assert!(is_same(&scenario, &row(9, "a"), &row(10, "a")).is_ok());
        assert!(is_same(&scenario, &row(9, "a"), &row(10, "b")).is_err());
    }
}
