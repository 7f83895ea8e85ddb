//! The webhook door: a delivery is verified, stored with the job that it makes, and only then answered.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc, time::Instant};

use actix_web::{HttpResponse, dev::Payload, http::header};
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    body::{self, Paced},
    decode,
    endpoint::{HttpRoute, with_headers_of_guards},
    head::Head,
    plan::{BodyPlan, Plan, TextSource},
    traced,
};
use crate::{
    Error, Result,
    action::{Door, Method},
    context::{Ctx, Identity, Request, RequestHead},
    db,
    error::Place,
    invoke::Invocation,
    observe::{
        redact,
        trace::{Kind, Parent},
    },
    queue::{Due, NewJob},
    registry::{Registered, Route},
    schema::{Checker, Field},
    webhook::{Delivery, Verify},
};

/// What start-up resolved for one webhook.
pub(crate) struct Webhook {
    pub(crate) verify: Box<dyn Verify>,
    pub(crate) action: &'static str,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("action", &self.action).finish_non_exhaustive()
    }
}

/// Returns the places of a webhook's fields: a POST's, but a body that is a form has no files.
pub(crate) fn plan(action: &Registered, own: &'static str, path: &str, body_limit: u64) -> Plan {
    Plan::new(action, &Route { method: Method::Post, own, path: path.to_owned() }, body_limit)
}

/// Answers one delivery.
pub(crate) fn handle(
    route: Arc<HttpRoute>,
    head: Arc<Head>,
    payload: Payload,
    parent: Parent,
    came: Instant,
) -> LocalBoxFuture<'static, HttpResponse> {
    Box::pin(async move {
        let running = route.in_flight.enter();
        let mut span = route.services.tracer.span(&parent, Kind::Server, "webhook");
        span.write(|span| {
            traced::describe_route(span, &head, &route.plan.template);
            span.set("bunbase.action", route.runner.name);
        });
        let below = span.below().unwrap_or_else(|| parent.clone());
        let ctx = open(&route, &head, &parent, came);
        let received = receive(&route, &head, payload, &ctx, &below).await;
        drop(running);
        let answer = match received {
            Ok(answer) => answer,
            Err(error) => {
                span.write(|span| span.refused(error.status(), error.code()));
                ctx.log_refusal(error.status(), error.code());
                route.refuse(&error, parent.trace)
            }
        };
        span.write(|span| span.set("http.response.status_code", answer.status().as_u16()));
        with_headers_of_guards(answer, &ctx)
    })
}

/// Opens the context in which guards count the delivery. The action runs in another one, with its job, so this one is no run of a trace.
fn open(route: &HttpRoute, head: &Arc<Head>, parent: &Parent, came: Instant) -> Ctx {
    let trace = Parent { sampled: false, ..parent.clone() };
    let call = Invocation { request: Some(Request::new(head.clone())), ..Invocation::new(trace, Door::Webhook, came) };
    route.runner.open(&route.services, call)
}

/// Returns who causes the runs of a webhook.
fn sender(action: &str) -> Identity {
    Identity::service(format!("webhook:{action}"))
}

async fn receive(
    route: &HttpRoute,
    head: &Head,
    mut payload: Payload,
    ctx: &Ctx,
    parent: &Parent,
) -> Result<HttpResponse> {
    let webhook = route.webhook.as_ref().ok_or_else(|| Error::internal("this route is no webhook"))?;
    let bytes =
        body::read(Paced::new(&mut payload, route.settings.body_timeout), &head.headers, route.plan.body_limit).await?;
    let header = |name: &str| head.header(name);
    let delivery = Delivery { header: &header, body: &bytes, now: route.services.clock.now() };
    let delivery_id = webhook.verify.verify(&delivery)?;
    if let Some(answer) = webhook.verify.handshake(&delivery) {
        return Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8")).body(answer));
    }
    ctx.identify(sender(webhook.action));
    // Now, because who does not sign must not use up the limit of who does.
    route.runner.count_delivery(ctx).await?;
    let input = input(&route.plan, head, &bytes)?;
    let meta = route.runner.meta;
    let job = NewJob {
        id: Uuid::now_v7(),
        queue: meta.queue.to_owned(),
        action: webhook.action.to_owned(),
        input: route.services.seal(webhook.action, &route.runner.sensitive, &input)?,
        priority: meta.priority,
        due: Due::Now,
        max_attempts: meta.retry.map_or(route.services.config.queue.max_attempts, |policy| policy.attempts),
        unique: None,
        group: None,
        door: Door::Webhook.as_str(),
        origin: Some(delivery_id.clone()),
        identity: serde_json::to_string(&sender(webhook.action))?,
        traceparent: parent.traceparent(),
    };
    store(route, head, &delivery_id, &bytes, job).await?;
    Ok(HttpResponse::Accepted().json(json!({ "delivery_id": delivery_id })))
}

/// What a kept body is sealed as, where the action has sensitive fields.
const KEPT_BODY: &str = "webhook body";

/// One row a delivery: what was signed is kept as it came, sealed where it may hold what is sensitive. A delivery that is known
/// already changes nothing.
const KEEP: &str = "INSERT INTO webhook_deliveries (action, delivery_id, job_id, headers, body, received_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (action, delivery_id) DO NOTHING";

async fn store(route: &HttpRoute, head: &Head, delivery_id: &str, bytes: &Bytes, job: NewJob) -> Result<()> {
    let services = &route.services;
    let queue = job.queue.clone();
    let body = services.seal_bytes(&job.action, &route.runner.sensitive, KEPT_BODY, bytes)?;
    let headers = headers(&route.plan, head)?;
    let added = services
        .db
        .transaction(async |tx: &db::Tx| {
            let added = tx
                .sql(KEEP)
                .bind(job.action.as_str())
                .bind(delivery_id)
                .bind(job.id)
                .bind(headers.as_str())
                .bind(body.as_slice())
                .bind(services.clock.now())
                .execute()
                .await?;
            if added == 1 {
                services.jobs.insert_in(tx, std::slice::from_ref(&job)).await?;
            }
            Ok(added == 1)
        })
        .await?;
    if added {
        services.wake.jobs(&queue);
    }
    Ok(())
}

/// Writes the headers that say something about the delivery. Credentials are left out, by their names, and what is a sensitive
/// field: a signature is neither, it signs this body only.
fn headers(plan: &Plan, head: &Head) -> Result<String> {
    let is_sensitive = |name: &header::HeaderName| {
        plan.texts.iter().any(|(index, source)| {
            plan.fields[*index].sensitive && matches!(source, TextSource::Header(field) if field == name)
        })
    };
    let mut all = Map::new();
    for (name, value) in &head.headers {
        if !redact::is_secret_header(name.as_str())
            && !is_sensitive(name)
            && let Ok(text) = value.to_str()
        {
            all.insert(name.as_str().to_owned(), text.into());
        }
    }
    Ok(serde_json::to_string(&all)?)
}

/// Makes the input of the action's run: one object of all fields.
fn input(plan: &Plan, head: &Head, bytes: &Bytes) -> Result<Value> {
    let mut fields = match plan.body {
        BodyPlan::None => Map::new(),
        BodyPlan::Whole { field, .. } => {
            let field = &plan.fields[field];
            let value = if is_form(head) { whole_form(field, bytes) } else { payload(bytes)? };
            Map::from_iter([(field.key.to_owned(), value)])
        }
        BodyPlan::Fields { .. } | BodyPlan::Form { .. } if is_form(head) => form(plan, bytes),
        BodyPlan::Fields { .. } | BodyPlan::Form { .. } => match payload(bytes)? {
            Value::Object(fields) => fields,
            _ => return Err(decode::malformed("the body is not a JSON object")),
        },
    };
    for (index, source) in &plan.texts {
        let field = &plan.fields[*index];
        let Some(form) = field.text else { continue };
        let texts = decode::find(head, source, form.many).unwrap_or_default();
        // A text that cannot be read is found again when the run decodes its input, and told there.
        let value = if texts.is_empty() { None } else { (form.to_json)(&texts).ok() };
        match value {
            Some(value) => fields.insert(field.key.to_owned(), value),
            None => fields.remove(field.key),
        };
    }
    Ok(Value::Object(fields))
}

fn is_form(head: &Head) -> bool {
    head.header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// Reads a form, each text as its field does. A text that cannot be read so is told by the run, as any other wrong value is.
fn form(plan: &Plan, bytes: &Bytes) -> Map<String, Value> {
    let mut texts: BTreeMap<Cow<'_, str>, Vec<Cow<'_, str>>> = BTreeMap::new();
    for (key, text) in url::form_urlencoded::parse(bytes) {
        texts.entry(key).or_default().push(text);
    }
    let value = |key: &str, texts: &[Cow<'_, str>]| {
        let last = &texts[texts.len() - 1..];
        let field = plan.fields.iter().find(|field| field.key == key);
        let read = field.and_then(|field| field.text).map(|form| (form.to_json)(if form.many { texts } else { last }));
        match read {
            Some(Ok(value)) => value,
            _ => Value::String(last.concat()),
        }
    };
    texts.iter().map(|(key, texts)| (key.clone().into_owned(), value(key, texts))).collect()
}

/// Reads a form that is one field whole. Its type says which of the texts are meant as numbers and booleans, and which keys as lists:
/// a reading that leaves fewer mistakes is taken. What is still wrong is told by the run.
fn whole_form(field: &Field, bytes: &Bytes) -> Value {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, text) in url::form_urlencoded::parse(bytes) {
        texts.entry(key.into_owned()).or_default().push(text.into_owned());
    }
    let mut value =
        Value::Object(texts.iter().map(|(key, all)| (key.clone(), all[all.len() - 1].as_str().into())).collect());
    let mistakes = |value: &Value| {
        let mut checker = Checker::new(Place::Body);
        field.check(value, &mut checker);
        checker.into_errors().len()
    };
    let mut fewest = mistakes(&value);
    for (key, all) in &texts {
        let scalars: Vec<Value> = all.iter().map(|text| scalar(text)).collect();
        let readings = [scalars[all.len() - 1].clone(), json!(all), Value::Array(scalars)];
        for reading in readings {
            if fewest == 0 {
                return value;
            }
            let before = value[key.as_str()].clone();
            value[key.as_str()] = reading;
            match mistakes(&value) {
                fewer if fewer < fewest => fewest = fewer,
                _ => value[key.as_str()] = before,
            }
        }
    }
    value
}

/// Reads a text as the number or the boolean that it may be.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => text.into(),
    }
}

/// Reads the body as JSON.
fn payload(bytes: &Bytes) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|error| decode::malformed(format!("the body is not JSON: {error}")))
}
