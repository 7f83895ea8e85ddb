//! The parameters of an action: the context, what guards provide, and the input.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Expr, ExprLit, FnArg, GenericArgument, Lit, LitStr, Meta, Pat, PatType, PathArguments, Type,
    ext::IdentExt, visit::Visit,
};

use crate::{entries, errors::Errors, paths};

/// Marks that say what a parameter is or where it comes from; one of them at most.
const MARKS: [&str; 8] = ["path", "query", "header", "cookie", "body", "file", "guard", "input"];
/// What else an input field may carry: for `#[schema]` to read.
const DETAILS: [&str; 6] = ["validate", "default", "sensitive", "serde", "deprecated", "doc"];
/// What stays on the function's parameter.
const LINTS: [&str; 5] = ["allow", "expect", "warn", "deny", "forbid"];

/// Where the author said that a field is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    Unmarked,
    Path,
    Query,
    Header,
    Cookie,
    Body,
    File,
}

/// A field of the input.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// The doc comment and the marks, for the message type.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) source: Source,
    /// The mark, for messages.
    pub(crate) mark: Option<Attribute>,
    /// The name that the mark gives.
    pub(crate) param: Option<LitStr>,
    pub(crate) absent: Absent,
}

impl Field {
    /// Takes the mark off what the message type gets.
    pub(crate) fn unmark(&mut self) {
        self.attrs.retain(|attr| !is_mark(attr));
    }
}

/// What a field is when nothing is given for it.
pub(crate) enum Absent {
    /// It must be given.
    Required,
    /// `None`; holds the type inside.
    Option(Box<Type>),
    /// `Patch::Keep`.
    Patch,
    /// The default.
    Default(TokenStream),
}

/// What a parameter is.
pub(crate) enum Kind {
    Ctx,
    Guard(Box<Type>),
    Whole(Box<Type>),
    Field(Box<Field>),
}

/// Returns whether an attribute stays on the function.
pub(crate) fn stays(attr: &Attribute) -> bool {
    LINTS.iter().any(|name| attr.path().is_ident(name))
}

/// Reads one parameter; `None` when it cannot be any of them, which is reported.
pub(crate) fn read(input: &FnArg, errors: &mut Errors) -> Option<Kind> {
    let typed = match input {
        FnArg::Typed(typed) => typed,
        FnArg::Receiver(receiver) => {
            errors.at(
                receiver,
                "an action is a free function: leave out `self`, and take what it needs from `ctx: Ctx` or `ctx.state()`",
            );
            return None;
        }
    };
    let marks = marks(typed, errors)?;
    let named = |name: &str| marks.iter().find(|attr| attr.path().is_ident(name));
    let name = match &*typed.pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => Some(&pat.ident),
        Pat::Wild(_) => None,
        pattern => {
            errors.at(
                pattern,
                "a parameter of an action is a name: its field in the input has it too; take values apart in the body",
            );
            return None;
        }
    };
    if let Some(guard) = named("guard") {
        for attr in typed
            .attrs
            .iter()
            .filter(|attr| !std::ptr::eq(*attr, *guard) && !stays(attr) && !attr.path().is_ident("doc"))
        {
            errors.at(attr, "a `#[guard]` parameter comes from its guard and from nowhere else: leave this out");
        }
        return owned(&typed.ty, errors).then(|| Kind::Guard(typed.ty.clone()));
    }
    if marks.is_empty() && is_ctx(&typed.ty) {
        return Some(Kind::Ctx);
    }
    if marks.is_empty()
        && let Type::Reference(reference) = &*typed.ty
        && is_ctx(&reference.elem)
    {
        errors.at(&typed.ty, "take the context by value: `ctx: Ctx`; a clone of it is cheap and the same run");
        return None;
    }
    let Some(name) = name else {
        errors.at(
            &typed.pat,
            "a parameter of the input needs a name: its field has it too; one that is not read can be called `_name`",
        );
        return None;
    };
    let owned = owned(&typed.ty, errors);
    if named("input").is_some() || (name == "input" && marks.is_empty()) {
        for attr in typed.attrs.iter().filter(|attr| DETAILS[..5].iter().any(|detail| attr.path().is_ident(detail))) {
            errors.at(attr, "the whole input has no rules of its own: put this on a field of its type");
        }
        return owned.then(|| Kind::Whole(typed.ty.clone()));
    }
    let mark = marks.first().copied();
    let param = mark.and_then(first_text);
    let source = match mark.map(|mark| mark.path().to_token_stream().to_string()).as_deref() {
        Some("path") => Source::Path,
        Some("query") => Source::Query,
        Some("header") => Source::Header,
        Some("cookie") => Source::Cookie,
        Some("body") => Source::Body,
        Some("file") => Source::File,
        _ => Source::Unmarked,
    };
    let bad_header = source == Source::Header && !header_name(name, param.as_ref(), mark, errors);
    // A mark that was reported here is not handed on, so that `#[schema]` does not report it again.
    let handed = |attr: &&Attribute| {
        !stays(attr) && (!is_mark(attr) || (mark.is_some_and(|mark| std::ptr::eq(*attr, mark)) && !bad_header))
    };
    let attrs = typed.attrs.iter().filter(handed).cloned().collect();
    let absent = absent(typed);
    let field =
        Field { ident: name.clone(), ty: (*typed.ty).clone(), attrs, source, mark: mark.cloned(), param, absent };
    owned.then(|| Kind::Field(Box::new(field)))
}

/// Returns the marks of a parameter and reports attributes that do not belong on one.
fn marks<'a>(typed: &'a PatType, errors: &mut Errors) -> Option<Vec<&'a Attribute>> {
    let mut marks: Vec<&Attribute> = Vec::new();
    let mut known = true;
    for attr in &typed.attrs {
        let name = attr.path().to_token_stream().to_string();
        if is_mark(attr) {
            if let Some(first) = marks.first() {
                let first = first.path().to_token_stream();
                // A guard reports what else is on it, all at once.
                if first.to_string() != "guard" && name != "guard" {
                    errors.at(
                        attr,
                        format!(
                            "the parameter is `#[{first}]` already: it comes from one place, so leave one of the two out"
                        ),
                    );
                }
            }
            marks.push(attr);
        } else if name == "cfg" || name == "cfg_attr" {
            errors.at(
                attr,
                "a parameter of an action is always there: its input is its contract; put the condition on the function",
            );
            known = false;
        } else if !stays(attr) && !DETAILS.contains(&name.as_str()) {
            let allowed = [&MARKS[..], &DETAILS[..5]].concat();
            let hint =
                entries::nearest(&name, &allowed).map(|near| format!(" Did you mean `#[{near}]`?")).unwrap_or_default();
            errors.at(
                attr,
                format!("`#[{name}]` means nothing on a parameter.{hint} Allowed: {}", entries::and(&allowed)),
            );
            known = false;
        }
    }
    known.then_some(marks)
}

fn is_mark(attr: &Attribute) -> bool {
    MARKS.iter().any(|name| attr.path().is_ident(name))
}

/// Returns whether a type is the context, by its name.
fn is_ctx(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Ctx" && segment.arguments.is_none())
}

/// Returns the last part of a type's path.
pub(crate) fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// Returns whether a type can be part of a message: it owns its values and has a name. Reports what it has instead.
fn owned(ty: &Type, errors: &mut Errors) -> bool {
    struct Borrows<'a>(&'a mut Errors, bool);
    impl<'ast> Visit<'ast> for Borrows<'_> {
        fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
            let owned = match &*reference.elem {
                Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
                Type::Slice(slice) => format!("Vec<{}>", slice.elem.to_token_stream()),
                other => other.to_token_stream().to_string(),
            };
            self.0.at(reference, format!("a parameter owns its value, since the input does: write `{owned}`"));
            self.1 = false;
        }

        fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
            if lifetime.ident != "static" {
                self.0.at(lifetime, "a parameter owns its value, since the input does: use a type without a lifetime");
                self.1 = false;
            }
        }

        fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
            self.0
                .at(ty, "the type of a parameter has a name, since the input has a field of it: write the type itself");
            self.1 = false;
        }

        fn visit_type_infer(&mut self, ty: &'ast syn::TypeInfer) {
            self.0.at(ty, "the type of a parameter is written out, since the input has a field of it");
            self.1 = false;
        }
    }
    let mut borrows = Borrows(errors, true);
    borrows.visit_type(ty);
    borrows.1
}

/// Returns the text that a mark begins with: `#[header("X-Name")]`.
fn first_text(mark: &Attribute) -> Option<LitStr> {
    let Meta::List(list) = &mark.meta else { return None };
    match list.tokens.clone().into_iter().next()? {
        TokenTree::Literal(literal) => syn::parse2(literal.to_token_stream()).ok(),
        _ => None,
    }
}

/// Checks the name of a header (a token of RFC 9110, section 5.6.2).
fn header_name(field: &Ident, given: Option<&LitStr>, mark: Option<&Attribute>, errors: &mut Errors) -> bool {
    let name = given.map_or_else(|| train_case(&field.unraw().to_string()), LitStr::value);
    let underline = given.map_or_else(|| mark.to_token_stream(), ToTokens::to_token_stream);
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if let Some((position, bad)) = name.chars().enumerate().find(|(_, c)| !token(*c)) {
        let message = format!(
            "{name:?} is no header name: {bad:?} at character {} is not allowed; write letters, digits and `-`",
            position + 1
        );
        errors.at(underline, message);
        return false;
    }
    if name.is_empty() {
        errors.at(underline, "the header has no name: write it, such as `#[header(\"X-Request-Source\")]`");
        return false;
    }
    let instead = match name.to_ascii_lowercase().as_str() {
        "authorization" => "a guard reads credentials: take what it provides as a `#[guard]` parameter",
        "accept" => "the output decides the content type; `ctx.request()` has the header",
        "content-type" => "the input decides the content type; `ctx.request()` has the header",
        _ => return true,
    };
    errors.at(
        underline,
        format!("OpenAPI ignores a parameter for the header `{name}`, so callers would not know of it: {instead}"),
    );
    false
}

/// Writes `request_source` as `Request-Source`.
pub(crate) fn train_case(name: &str) -> String {
    let words = name.trim_matches('_').split('_').map(capitalised);
    words.collect::<Vec<_>>().join("-")
}

/// Writes `create_task` as `CreateTask`.
pub(crate) fn camel_case(name: &str) -> String {
    name.split('_').map(capitalised).collect()
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Returns what stands for a value that is not given.
fn absent(typed: &PatType) -> Absent {
    for attr in &typed.attrs {
        if attr.path().is_ident("default") {
            return Absent::Default(default(&attr.meta));
        }
        if attr.path().is_ident("serde")
            && let Some(default) = serde_default(attr)
        {
            return Absent::Default(default);
        }
    }
    let Some(segment) = last_segment(&typed.ty) else { return Absent::Required };
    let inner = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some(inner.clone()),
            _ => None,
        },
        _ => None,
    };
    match inner {
        Some(inner) if segment.ident == "Option" => Absent::Option(Box::new(inner)),
        Some(_) if segment.ident == "Patch" => Absent::Patch,
        _ => Absent::Required,
    }
}

/// Returns the value of `#[default]` or `#[default(20)]`.
fn default(meta: &Meta) -> TokenStream {
    let private = paths::private();
    let value = match meta {
        Meta::Path(_) => return quote!(#private::std::default::Default::default()),
        Meta::NameValue(meta) => meta.value.to_token_stream(),
        Meta::List(list) => list.tokens.clone(),
    };
    match syn::parse2::<Expr>(value.clone()) {
        // Text for a `String`, as the field's own type wants it.
        Ok(Expr::Lit(ExprLit { lit: Lit::Str(_), .. })) => quote!(#private::std::convert::Into::into(#value)),
        _ => value,
    }
}

/// Returns the value of `#[serde(default)]` or `#[serde(default = "path")]`.
fn serde_default(attr: &Attribute) -> Option<TokenStream> {
    let private = paths::private();
    let mut found = None;
    // What else is in it, and whether it is right, is for `#[schema]` to say.
    let _ = attr.parse_nested_meta(|meta| {
        let path: Option<LitStr> = if meta.input.peek(syn::Token![=]) { meta.value()?.parse().ok() } else { None };
        if meta.path.is_ident("default") {
            let path = path.map(|path| path.parse::<syn::Path>()).transpose()?;
            let own = || quote!(#private::std::default::Default::default());
            found = Some(path.map_or_else(own, |path| quote!(#path())));
        }
        Ok(())
    });
    found
}
