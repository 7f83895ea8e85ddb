//! An action whose every part is known to be right.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Expr, LitStr, Type, Visibility, ext::IdentExt};

use super::{
    attr::{Args, Method},
    cache::Cache,
    docs::Docs,
    input,
    param::{self, Field, Kind},
    retry::Retry,
    rules, signature,
    trigger::{Trigger, Webhook, join},
};
use crate::{errors::Errors, function::Function, schema::values};

/// One argument of the call that the generated code makes.
pub(crate) enum Argument {
    Ctx,
    /// The value of the provider with this index.
    Provided(usize),
    /// A field of the message.
    Field(Ident),
    /// The whole message, or what it wraps.
    Whole,
}

/// Where the input is declared.
pub(crate) enum Message {
    /// By the parameters: the macro makes the struct.
    Fields { name: Ident, fields: Vec<Field> },
    /// By a struct of the user's, which is the message itself.
    Own { ty: Type },
    /// By a struct of the user's, around which the macro makes the message.
    Wrapped { name: Ident, ty: Type },
}

/// A checked action. Made by [`Action::check`] only.
pub(crate) struct Action {
    ident: Ident,
    vis: Visibility,
    cfgs: Vec<Attribute>,
    doc_attrs: Vec<Attribute>,
    docs: Docs,
    name: String,
    doors: Vec<(Method, LitStr)>,
    triggers: Vec<Trigger>,
    status: Option<u16>,
    tags: Vec<LitStr>,
    deprecated: bool,
    guards: Vec<Expr>,
    check_input: Option<Expr>,
    timeout: Option<Duration>,
    retry: Option<Retry>,
    idempotent: Option<Ident>,
    cache: Option<Cache>,
    is_async: bool,
    cpu: bool,
    queue: Option<LitStr>,
    priority: Option<&'static str>,
    body_limit_bytes: Option<u64>,
    content_type: Option<LitStr>,
    message: Message,
    arguments: Vec<Argument>,
    providers: Vec<Type>,
    result: Type,
    texts: Vec<Type>,
}

impl Action {
    /// Checks everything and reports every mistake. The message is there as soon as it has a name, so that its own mistakes
    /// are found too and whoever uses it is not told that it is missing.
    pub(crate) fn check(mut args: Args, function: &Function, errors: &mut Errors) -> Option<Self> {
        let sig = &function.sig;
        signature::check(function, errors);
        let result = signature::result(function, errors);
        let mut arguments = Vec::new();
        let mut providers = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        let mut whole: Option<Type> = None;
        let mut context = false;
        for input in &sig.inputs {
            match param::read(input, errors) {
                None => {}
                Some(Kind::Ctx) => {
                    if context {
                        errors.at(
                            input,
                            "the context is a parameter already: leave this one out, or clone the first in the body",
                        );
                    }
                    context = true;
                    arguments.push(Argument::Ctx);
                }
                Some(Kind::Guard(ty)) => {
                    arguments.push(Argument::Provided(providers.len()));
                    providers.push(*ty);
                }
                Some(Kind::Whole(ty)) => {
                    if whole.is_some() {
                        errors.at(input, "there is a whole input already: make one struct of both");
                    }
                    whole = Some(*ty);
                    arguments.push(Argument::Whole);
                }
                Some(Kind::Field(field)) => {
                    arguments.push(Argument::Field(field.ident.clone()));
                    fields.push(*field);
                }
            }
        }
        join(webhooks(&mut args.triggers), args.verify.take(), errors);
        rules::twice(&args.triggers, errors);
        let doors = rules::doors(args.doors, &args.triggers, errors);
        let events = args.triggers.iter().filter_map(Trigger::event_type);
        let name = signature::message_name(
            args.message.as_ref(),
            function,
            whole.as_ref(),
            &fields,
            &providers,
            events,
            errors,
        );
        let texts = if whole.is_some() {
            for field in &fields {
                errors.at(
                    &field.ident,
                    format!("`input` is the whole input: make `{}` a field of its type", field.ident),
                );
            }
            Vec::new()
        } else {
            rules::fields(&fields, &args.triggers, &sig.ident, errors);
            input::check(&mut fields, &doors, errors);
            let text = |field: &&Field| input::is_text(field, &doors);
            fields.iter().filter(text).map(|field| field.ty.clone()).collect()
        };
        let message = match (whole, name) {
            (Some(ty), Some(name)) if param::last_segment(&ty).is_some_and(|last| last.ident == name) => {
                Message::Own { ty }
            }
            (Some(ty), Some(name)) => Message::Wrapped { name, ty },
            (None, Some(name)) => Message::Fields { name, fields },
            (_, None) => return None,
        };
        if let Some(cache) = &args.cache {
            cache.check(&doors, &message, !providers.is_empty(), args.idempotent.as_ref(), errors);
        }
        let status = args.status.and_then(|status| errors.keep(rules::status(&status, result.as_ref())));
        let measured = |text: &Option<LitStr>| text.as_ref().map(LitStr::value);
        let timeout = measured(&args.timeout).and_then(|text| match values::duration(&text) {
            Ok(time) if !time.is_zero() => Some(time),
            Ok(_) => {
                errors.at(&args.timeout, "a run needs some time: leave `timeout` out for the configured one");
                None
            }
            Err(message) => {
                errors.at(&args.timeout, message);
                None
            }
        });
        let body_limit_bytes = measured(&args.body_limit).and_then(|text| {
            errors.keep(values::size_bytes(&text).map_err(|message| syn::Error::new_spanned(&args.body_limit, message)))
        });
        if let Some(limit) = &args.body_limit
            && !doors.is_empty()
            && doors.iter().all(|door| !door.method.has_body())
        {
            errors.at(limit, "no door of this action takes a body: leave `body_limit` out");
        }
        if let Some(text) = &args.content_type {
            rules::content_type(text, errors);
        }
        if let Some(text) = &args.name {
            rules::name(text, errors);
        }
        if let Some(text) = &args.queue {
            rules::queue(text, errors);
        }
        Some(Self {
            name: args.name.map_or_else(|| sig.ident.unraw().to_string(), |name| name.value()),
            ident: sig.ident.clone(),
            vis: function.vis.clone(),
            cfgs: function.cfgs().cloned().collect(),
            doc_attrs: function.attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect(),
            docs: Docs::of(&function.attrs),
            doors: doors.into_iter().filter(|door| door.is_http).map(|door| (door.method, door.path)).collect(),
            triggers: args.triggers,
            status,
            tags: args.tags,
            deprecated: args.deprecated,
            guards: args.guards,
            check_input: args.check_input,
            timeout,
            retry: args.retry,
            idempotent: args.idempotent,
            cache: args.cache,
            is_async: sig.asyncness.is_some(),
            cpu: args.cpu || sig.asyncness.is_none(),
            queue: args.queue,
            priority: args.priority,
            body_limit_bytes,
            content_type: args.content_type,
            message,
            arguments,
            providers,
            result: result.unwrap_or_else(|| Type::Verbatim(TokenStream::new())),
            texts,
        })
    }

    /// The function's name.
    pub(crate) fn ident(&self) -> &Ident {
        &self.ident
    }
    /// The function's visibility.
    pub(crate) fn vis(&self) -> &Visibility {
        &self.vis
    }
    /// The function's conditions.
    pub(crate) fn cfgs(&self) -> &[Attribute] {
        &self.cfgs
    }
    /// The doc comment as written.
    pub(crate) fn doc_attrs(&self) -> &[Attribute] {
        &self.doc_attrs
    }
    /// The doc comment as text.
    pub(crate) fn docs(&self) -> &Docs {
        &self.docs
    }
    /// The action's name, without its modules'.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    /// The HTTP doors.
    pub(crate) fn doors(&self) -> &[(Method, LitStr)] {
        &self.doors
    }
    /// The other doors.
    pub(crate) fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }
    /// The webhooks among them.
    pub(crate) fn webhooks(&self) -> impl Iterator<Item = &Webhook> {
        self.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Webhook(webhook) => Some(webhook),
            _ => None,
        })
    }
    /// The key of its first schedule.
    pub(crate) fn schedule(&self) -> Option<&Ident> {
        self.triggers.iter().find(|trigger| matches!(trigger, Trigger::Schedule(_))).map(Trigger::key)
    }
    /// 200 to 399.
    pub(crate) fn status(&self) -> Option<u16> {
        self.status
    }
    /// The tags.
    pub(crate) fn tags(&self) -> &[LitStr] {
        &self.tags
    }
    /// Whether it should no longer be used.
    pub(crate) fn deprecated(&self) -> bool {
        self.deprecated
    }
    /// The expressions of `guards = […]`.
    pub(crate) fn guards(&self) -> &[Expr] {
        &self.guards
    }
    /// The function of `check_input = …`.
    pub(crate) fn check_input(&self) -> Option<&Expr> {
        self.check_input.as_ref()
    }
    /// What `retry(…)` says.
    pub(crate) fn retry(&self) -> Option<&Retry> {
        self.retry.as_ref()
    }
    /// The key `idempotent`.
    pub(crate) fn idempotent(&self) -> Option<&Ident> {
        self.idempotent.as_ref()
    }
    /// What `cache(…)` says.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }
    /// Whether the function is an `async fn`.
    pub(crate) fn is_async(&self) -> bool {
        self.is_async
    }
    /// Whether it computes and does not wait.
    pub(crate) fn cpu(&self) -> bool {
        self.cpu
    }
    /// The queue, where it is not the default one.
    pub(crate) fn queue(&self) -> Option<&LitStr> {
        self.queue.as_ref()
    }
    /// The variant of `Priority`, where it is not the default one.
    pub(crate) fn priority(&self) -> Option<&'static str> {
        self.priority
    }
    /// More than zero.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }
    /// The largest body.
    pub(crate) fn body_limit_bytes(&self) -> Option<u64> {
        self.body_limit_bytes
    }
    /// The content type of a raw output.
    pub(crate) fn content_type(&self) -> Option<&LitStr> {
        self.content_type.as_ref()
    }
    /// The input.
    pub(crate) fn message(&self) -> &Message {
        &self.message
    }
    /// How to call the function.
    pub(crate) fn arguments(&self) -> &[Argument] {
        &self.arguments
    }
    /// The types of the `#[guard]` parameters.
    pub(crate) fn providers(&self) -> &[Type] {
        &self.providers
    }
    /// The return type as written.
    pub(crate) fn result(&self) -> &Type {
        &self.result
    }
    /// The types of the fields that come from text through some door.
    pub(crate) fn texts(&self) -> &[Type] {
        &self.texts
    }
}

impl Message {
    /// The type of the message, to name it in generated code.
    pub(crate) fn ty(&self) -> TokenStream {
        match self {
            Self::Own { ty } => ty.to_token_stream(),
            Self::Fields { name, .. } | Self::Wrapped { name, .. } => name.to_token_stream(),
        }
    }
}

fn webhooks(triggers: &mut [Trigger]) -> impl Iterator<Item = &mut Webhook> {
    triggers.iter_mut().filter_map(|trigger| match trigger {
        Trigger::Webhook(webhook) => Some(webhook),
        _ => None,
    })
}
