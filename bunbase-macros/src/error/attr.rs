//! The syntax of `#[error(…)]`.

use std::time::Duration;

use proc_macro2::Span;
use syn::{Attribute, Ident, LitInt, LitStr, Token, parenthesized, parse::ParseStream, spanned::Spanned};

use crate::{errors::Errors, schema::values};

/// When another attempt makes sense.
#[derive(Clone, Copy)]
pub(super) enum Retry {
    Never,
    After(Duration),
}

/// What `#[error(…)]` says, before it is known whether it fits together.
#[derive(Default)]
pub(super) struct Args {
    pub(super) status: Option<LitInt>,
    pub(super) code: Option<LitStr>,
    pub(super) retry: Option<(Retry, Span)>,
    pub(super) message: Option<LitStr>,
    pub(super) internal: Option<Span>,
    pub(super) framework: Option<Span>,
    /// Whether something was not understood, so that what is missing may not be missing.
    pub(super) broken: bool,
}

const ALLOWED: &str = "`status = 404`, `code = \"…\"`, `retry = never`, `retry = after(\"30s\")` and a message, or `internal`, or \
                       `framework`";

impl Args {
    /// Reads an attribute.
    pub(super) fn parse(attr: &Attribute, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let result = attr.parse_args_with(|input: ParseStream<'_>| {
            while !input.is_empty() {
                args.take(input, errors)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        });
        args.broken = errors.keep(result).is_none();
        args
    }

    fn take(&mut self, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
        if input.peek(LitStr) {
            let message: LitStr = input.parse()?;
            put(&mut self.message, message.clone(), message.span(), "the message", errors);
            return Ok(());
        }
        let name: Ident =
            input.parse().map_err(|error| syn::Error::new(error.span(), format!("`#[error]` takes {ALLOWED}")))?;
        let at = name.span();
        match name.to_string().as_str() {
            "internal" => put(&mut self.internal, at, at, "internal", errors),
            "framework" => put(&mut self.framework, at, at, "framework", errors),
            "status" => {
                input.parse::<Token![=]>()?;
                let status: LitInt = input.parse().map_err(|error| {
                    syn::Error::new(error.span(), "a status is a number from 400 to 599: write `status = 404`")
                })?;
                put(&mut self.status, status, at, "status", errors);
            }
            "code" => {
                input.parse::<Token![=]>()?;
                let code = input.parse().map_err(|error| {
                    syn::Error::new(error.span(), "a code is a text: write `code = \"project_missing\"`")
                })?;
                put(&mut self.code, code, at, "code", errors);
            }
            "retry" => {
                input.parse::<Token![=]>()?;
                let retry = retry(input)?;
                put(&mut self.retry, retry, at, "retry", errors);
            }
            other => return Err(syn::Error::new(at, format!("`#[error]` has no `{other}`; it takes {ALLOWED}"))),
        }
        Ok(())
    }
}

fn put<T>(slot: &mut Option<T>, value: T, at: Span, name: &str, errors: &mut Errors) {
    if slot.is_some() {
        errors.push(syn::Error::new(at, format!("{name} is there twice: keep one of them")));
    } else {
        *slot = Some(value);
    }
}

fn retry(input: ParseStream<'_>) -> syn::Result<(Retry, Span)> {
    const ADVICE: &str = "write `retry = never` or `retry = after(\"30s\")`; without it server errors are worth another attempt and \
                          others are not";
    let name: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), ADVICE))?;
    if name == "never" {
        return Ok((Retry::Never, name.span()));
    }
    if name != "after" {
        return Err(syn::Error::new(name.span(), ADVICE));
    }
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(name.span(), ADVICE));
    }
    let inner;
    parenthesized!(inner in input);
    let text: LitStr = inner.parse().map_err(|error| syn::Error::new(error.span(), ADVICE))?;
    let after = values::duration(&text.value()).map_err(|message| syn::Error::new(text.span(), message))?;
    if !inner.is_empty() {
        return Err(syn::Error::new(inner.span(), ADVICE));
    }
    Ok((Retry::After(after), name.span().join(text.span()).unwrap_or_else(|| text.span())))
}

/// Returns what an error about a whole attribute underlines.
pub(super) fn span(attr: &Attribute) -> Span {
    attr.path().span()
}
