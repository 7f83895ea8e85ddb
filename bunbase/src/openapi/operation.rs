//! One route of an action as an operation.

use okapi::openapi3::{Operation, RefOr, Responses};

use super::{
    Builder, body, parameters, problem,
    responses::{self, Traits},
};
use crate::{
    action::Method,
    guard::ACROSS_TENANTS,
    registry::{Registered, Route, WebhookRoute},
};

/// Describes one route. `names` are its path parameters as the document calls them.
pub(super) fn of(action: &Registered, route: &Route, names: &[String], builder: &mut Builder<'_>) -> Operation {
    let meta = &action.entry.meta;
    let mut guards = action.guard_docs();
    let is_tenants = builder.info.tenants && !guards.iter().any(|guard| guard.name == ACROSS_TENANTS);
    if is_tenants {
        guards.push(problem::tenant());
    }
    let request_body = body::of(action, route, builder);
    let traits = Traits {
        json: request_body.as_ref().is_some_and(|body| !body::is_form(body)),
        form: request_body.as_ref().is_some_and(body::is_form),
        input: !action.entry.fields.is_empty(),
        database: meta.idempotent
            || action.entry.open_errors
            || action.entry.hidden_errors
            || guards.iter().any(|guard| guard.open_errors || guard.hidden_errors),
        timeout: meta.timeout.map_or(builder.info.request_timeout, |limit| !limit.is_zero()),
        idempotent: meta.idempotent,
        is_safe: route.method == Method::Get,
    };
    let mut parameters = parameters::of(action, route, names, &mut builder.generator);
    if meta.idempotent {
        parameters.push(RefOr::Object(parameters::idempotency_key()));
    }
    if let Some(name) = builder.info.tenant_header.as_ref().filter(|_| is_tenants) {
        let name = name.clone();
        parameters.push(RefOr::Object(parameters::header(&name, "Whose data it is about: the id of a tenant.", true)));
    }
    let (status, success) = responses::success(action, &guards, builder);
    let (failures, default) = responses::failures(action, &guards, traits, builder);
    let mut answers = Responses { default, ..Responses::default() };
    answers.responses.extend(failures.into_iter().map(|(status, response)| (status.to_string(), response)));
    if meta.cache.is_some() {
        answers.responses.insert("304".to_owned(), RefOr::Object(responses::not_modified(&success)));
    }
    answers.responses.insert(status.to_string(), RefOr::Object(success));
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Operation {
        tags: action.tags.iter().map(|tag| (*tag).to_owned()).collect(),
        summary: text(meta.summary),
        description: text(meta.description),
        operation_id: Some(builder.operation_id(action, route)),
        parameters,
        request_body: request_body.map(RefOr::Object),
        responses: answers,
        deprecated: meta.deprecated,
        security: builder.schemes.requirements(&guards),
        ..Operation::default()
    }
}

/// Describes a webhook. Whoever sends it does not read this document; whoever runs it does.
pub(super) fn of_webhook(
    action: &Registered,
    hook: &WebhookRoute,
    names: &[String],
    builder: &mut Builder<'_>,
) -> Operation {
    let meta = &action.entry.meta;
    let route = hook.route();
    let guards: Vec<_> = action.guard_docs().into_iter().filter(|guard| guard.counts_deliveries).collect();
    let request_body = body::of(action, &route, builder);
    let mut parameters = parameters::of(action, &route, names, &mut builder.generator);
    for (name, description) in (hook.verify)().headers() {
        parameters.push(RefOr::Object(parameters::header(name, description, true)));
    }
    let mut answers = Responses::default();
    let found = responses::of_webhook(request_body.is_some(), &guards, builder);
    answers.responses.extend(found.into_iter().map(|(status, response)| (status.to_string(), response)));
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Operation {
        tags: action.tags.iter().map(|tag| (*tag).to_owned()).collect(),
        summary: text(meta.summary),
        description: text(meta.description),
        operation_id: Some(builder.webhook_id(action)),
        parameters,
        request_body: request_body.map(RefOr::Object),
        responses: answers,
        deprecated: meta.deprecated,
        ..Operation::default()
    }
}
