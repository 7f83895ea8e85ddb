//! An action whose every part is known to be right.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Expr, LitStr, Type, Visibility, ext::IdentExt};

use super::{
    attr::{Args, Door, Method},
    docs::Docs,
    input,
    param::{self, Field, Kind},
    signature, template,
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
    status: Option<u16>,
    tags: Vec<LitStr>,
    deprecated: bool,
    guards: Vec<Expr>,
    timeout: Option<Duration>,
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
    pub(crate) fn check(args: Args, function: &Function, errors: &mut Errors) -> Option<Self> {
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
        let doors = doors(args.doors, errors);
        let name =
            signature::message_name(args.message.as_ref(), function, whole.as_ref(), &fields, &providers, errors);
        let texts = if whole.is_some() {
            for field in &fields {
                errors.at(
                    &field.ident,
                    format!("`input` is the whole input: make `{}` a field of its type", field.ident),
                );
            }
            Vec::new()
        } else {
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
        let status = args.status.and_then(|status| errors.keep(checked_status(&status, result.as_ref())));
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
            content_type(text, errors);
        }
        if let Some(text) = &args.name {
            action_name(text, errors);
        }
        Some(Self {
            name: args.name.map_or_else(|| sig.ident.unraw().to_string(), |name| name.value()),
            ident: sig.ident.clone(),
            vis: function.vis.clone(),
            cfgs: function.cfgs().cloned().collect(),
            doc_attrs: function.attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned().collect(),
            docs: Docs::of(&function.attrs),
            doors: doors.into_iter().map(|door| (door.method, door.path)).collect(),
            status,
            tags: args.tags,
            deprecated: args.deprecated,
            guards: args.guards,
            timeout,
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

/// Checks the templates, and that no door is there twice.
fn doors(doors: Vec<Door>, errors: &mut Errors) -> Vec<input::Door> {
    let mut checked: Vec<input::Door> = Vec::new();
    for Door { method, path } in doors {
        match template::parse(&path.value()) {
            Err(mistakes) => mistakes.iter().for_each(|mistake| errors.at(&path, mistake)),
            Ok(names) => {
                let same = |other: &input::Door| other.method == method && other.path.value() == path.value();
                if checked.iter().any(same) {
                    errors.at(
                        &path,
                        format!("{} {} is a door of this action already; leave one out", method.as_str(), path.value()),
                    );
                } else {
                    checked.push(input::Door { method, path, names });
                }
            }
        }
    }
    checked
}

/// Checks a status against its range and the output, as far as its name tells.
fn checked_status(literal: &syn::LitInt, result: Option<&Type>) -> syn::Result<u16> {
    let wrong = |message: String| Err(syn::Error::new_spanned(literal, message));
    let status: u16 = literal.base10_parse()?;
    if !(200..=399).contains(&status) {
        return wrong(format!(
            "{status} is not the status of a success: write one from 200 to 399; other statuses are variants of the error \
             (`#[derive(ActionError)]`)"
        ));
    }
    let Some(output) = result.and_then(signature::ok_type) else { return Ok(status) };
    let name = param::last_segment(output).map(|segment| segment.ident.to_string());
    let empty = matches!(output, Type::Tuple(tuple) if tuple.elems.is_empty()) || name.as_deref() == Some("NoContent");
    let redirect = name.as_deref() == Some("Redirect");
    match status {
        204 | 205 | 304 if !empty && !redirect => {
            wrong(format!("an answer with status {status} has no body: return `Result<()>`, or leave `status` out"))
        }
        200 if empty => wrong("an answer without a body is 204: leave `status` out, or return something".to_owned()),
        _ if redirect && !(300..=399).contains(&status) => {
            wrong(format!("a `Redirect` needs a status from 300 to 399, not {status}: 303, 307 or 308"))
        }
        _ if name.as_deref() == Some("Created") && status != 201 => {
            wrong(format!("`Created` answers 201, not {status}: leave `status` out, or return the body itself"))
        }
        _ => Ok(status),
    }
}

fn content_type(text: &LitStr, errors: &mut Errors) {
    let value = text.value();
    let token =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c));
    let kind = value.split(';').next().unwrap_or_default().trim_end();
    let visible = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if !kind.split_once('/').is_some_and(|(main, sub)| token(main) && token(sub)) || !visible {
        errors.at(text, format!("{value:?} is not a content type: write a type and a subtype, such as `\"text/csv\"`"));
    }
}

fn action_name(text: &LitStr, errors: &mut Errors) {
    let value = text.value();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if value.is_empty() || !value.chars().all(plain) {
        let advice = "write letters, digits, `_` and `-`; the names of its modules are put before it";
        errors.at(text, format!("{value:?} cannot be the name of an action: {advice}"));
    }
}
