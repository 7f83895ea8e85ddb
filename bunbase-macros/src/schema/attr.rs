//! The syntax of `#[schema(…)]` and of the attributes that it owns on fields. What they mean together is for `model`.

use quote::ToTokens;
use syn::{
    Attribute, Expr, ExprLit, Lit, LitStr, Meta, Path, Token,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
};

use super::{rules, serde_attr};
use crate::errors::Errors;

/// A comma-separated list of `name`, `name = value` and `name(…)`.
pub(super) fn metas(input: ParseStream<'_>) -> syn::Result<Vec<Meta>> {
    Ok(Punctuated::<Meta, Token![,]>::parse_terminated(input)?.into_iter().collect())
}

/// Reads the items of `#[name(…)]`.
pub(super) fn items(attr: &Attribute, errors: &mut Errors) -> Vec<Meta> {
    errors.keep(attr.parse_args_with(metas)).unwrap_or_default()
}

/// Returns the text of `name = "text"`, or says that it should be text.
pub(super) fn text(meta: &Meta, example: &str) -> syn::Result<LitStr> {
    if let Meta::NameValue(pair) = meta
        && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
    {
        return Ok(text.clone());
    }
    let name = meta.path().to_token_stream();
    Err(syn::Error::new_spanned(meta, format!("`{name}` takes a text: write `{name} = \"{example}\"`")))
}

/// Says that a name is none of those allowed.
pub(super) fn unknown(meta: &Meta, owner: &str, allowed: &str) -> syn::Error {
    let name = meta.path().to_token_stream().to_string().replace(' ', "");
    syn::Error::new_spanned(meta.path(), format!("`{owner}` has no `{name}`; it takes {allowed}"))
}

/// Stores a value once.
pub(super) fn once<T>(slot: &mut Option<T>, value: T, at: impl ToTokens, name: &str, errors: &mut Errors) {
    if slot.is_some() {
        errors.at(at, format!("`{name}` is there twice: keep one of them"));
    } else {
        *slot = Some(value);
    }
}

/// A flag stands alone.
pub(super) fn flag(meta: &Meta, errors: &mut Errors) -> bool {
    errors.keep(meta.require_path_only()).is_some()
}

/// What the whole type says: the arguments of `#[schema]` and its `#[serde(…)]` attributes, which mean the same.
#[derive(Default)]
pub(super) struct Container {
    pub(super) tag: Option<LitStr>,
    pub(super) content: Option<LitStr>,
    pub(super) untagged: Option<Path>,
    pub(super) rename: Option<LitStr>,
    pub(super) rename_all: Option<LitStr>,
    pub(super) rename_all_fields: Option<LitStr>,
    pub(super) default: Option<DefaultValue>,
}

impl Container {
    /// Reads the arguments of `#[schema(…)]`.
    pub(super) fn parse(args: proc_macro2::TokenStream, errors: &mut Errors) -> Self {
        let mut this = Self::default();
        for meta in errors.keep(metas.parse2(args)).unwrap_or_default() {
            let key = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
            match key.as_str() {
                "name" => {
                    if let Some(value) = errors.keep(text(&meta, "TaskView")) {
                        once(&mut this.rename, value, &meta, "name", errors);
                    }
                }
                "tag" | "content" | "untagged" | "rename_all" | "rename_all_fields" => this.take(&meta, errors),
                _ => errors.push(unknown(
                    &meta,
                    "#[schema]",
                    "`tag = \"…\"`, `content = \"…\"`, `untagged`, `rename_all = \"…\"`, `rename_all_fields = \"…\"` and `name = \"…\"`",
                )),
            }
        }
        this
    }

    /// Takes one item that `#[schema(…)]` and `#[serde(…)]` share.
    pub(super) fn take(&mut self, meta: &Meta, errors: &mut Errors) {
        let (slot, name, example) = if meta.path().is_ident("tag") {
            (&mut self.tag, "tag", "kind")
        } else if meta.path().is_ident("content") {
            (&mut self.content, "content", "value")
        } else if meta.path().is_ident("rename_all") {
            (&mut self.rename_all, "rename_all", "snake_case")
        } else if meta.path().is_ident("rename_all_fields") {
            (&mut self.rename_all_fields, "rename_all_fields", "camelCase")
        } else {
            if flag(meta, errors) {
                once(&mut self.untagged, meta.path().clone(), meta, "untagged", errors);
            }
            return;
        };
        if let Some(value) = errors.keep(text(meta, example)) {
            once(slot, value, meta, name, errors);
        }
    }
}

/// What a missing key stands for.
#[derive(Clone)]
pub(super) enum DefaultValue {
    /// `Default::default()` of the field's type.
    OfType,
    /// An expression.
    Expr(Box<Expr>),
    /// A function without arguments: `#[serde(default = "path")]`.
    Call(Path),
    /// The same field of the struct's own `Default`.
    OfStruct,
}

/// Where a field is, and the attribute that said so.
pub(super) struct Mark {
    pub(super) place: Place,
    pub(super) name: Option<LitStr>,
    pub(super) attr: Attribute,
}

/// Where the author said that a field is.
pub(super) enum Place {
    Path,
    Query,
    Header,
    Cookie(super::cookie::Cookie),
    Body,
    File(File),
}

/// The limits of a file.
#[derive(Default)]
pub(super) struct File {
    pub(super) max_size_bytes: Option<u64>,
    pub(super) content_types: Vec<String>,
}

/// What one field says, its attributes taken off it.
#[derive(Default)]
pub(super) struct FieldAttrs {
    pub(super) docs: String,
    pub(super) mark: Option<Mark>,
    pub(super) default: Option<DefaultValue>,
    pub(super) sensitive: bool,
    pub(super) deprecated: bool,
    pub(super) rules: Vec<rules::Rule>,
    pub(super) serde: serde_attr::Field,
}

impl FieldAttrs {
    /// Takes our attributes and serde's off a field.
    pub(super) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut this = Self { docs: docs(attrs), ..Self::default() };
        attrs.retain(|attr| this.take_one(attr, errors));
        if let Some(default) = this.serde.default.take() {
            let at = this.serde.default_at.clone();
            once(&mut this.default, default, at, "default", errors);
        }
        this
    }

    /// Takes one attribute; `true` leaves it on the field.
    fn take_one(&mut self, attr: &Attribute, errors: &mut Errors) -> bool {
        let Some(name) = attr.path().get_ident().map(ToString::to_string) else { return true };
        match name.as_str() {
            "path" | "query" | "header" | "cookie" | "body" | "file" => {
                if let Some(mark) = mark(attr, &name, errors) {
                    match &self.mark {
                        Some(first) => {
                            let first = first.attr.path().to_token_stream();
                            errors.at(attr, format!("a field has one place: keep `#[{first}]` or `#[{name}]`"));
                        }
                        None => self.mark = Some(mark),
                    }
                }
            }
            "default" => {
                let default = match &attr.meta {
                    Meta::Path(_) => Some(DefaultValue::OfType),
                    Meta::List(_) => errors.keep(attr.parse_args()).map(|expr| DefaultValue::Expr(Box::new(expr))),
                    Meta::NameValue(_) => {
                        errors.at(attr, "write `#[default(expression)]`, or `#[default]` for the type's own default");
                        None
                    }
                };
                if let Some(default) = default {
                    once(&mut self.default, default, attr, "default", errors);
                }
            }
            "sensitive" => self.sensitive = flag(&attr.meta, errors),
            "validate" => rules::parse(attr, &mut self.rules, errors),
            "serde" => self.serde.take(attr, errors),
            "deprecated" => {
                self.deprecated = true;
                return true;
            }
            "cfg" | "cfg_attr" => {
                errors.at(attr, format!("a field of `#[schema]` is always there: put `#[{name}]` on the whole type"));
            }
            _ => return true,
        }
        false
    }
}

fn mark(attr: &Attribute, name: &str, errors: &mut Errors) -> Option<Mark> {
    let (place, name) = match name {
        "cookie" => {
            let (name, cookie) = super::cookie::parse(attr, errors)?;
            (Place::Cookie(cookie), name)
        }
        "file" => (Place::File(file(attr, errors)), None),
        "body" => {
            errors.keep(attr.meta.require_path_only())?;
            (Place::Body, None)
        }
        _ => {
            let param = match &attr.meta {
                Meta::Path(_) => None,
                _ => Some(errors.keep(attr.parse_args::<LitStr>().map_err(|_| {
                    syn::Error::new_spanned(attr, format!("write `#[{name}]`, or `#[{name}(\"its name\")]`"))
                }))?),
            };
            let place = match name {
                "path" => Place::Path,
                "query" => Place::Query,
                _ => Place::Header,
            };
            (place, param)
        }
    };
    Some(Mark { place, name, attr: attr.clone() })
}

fn file(attr: &Attribute, errors: &mut Errors) -> File {
    let mut file = File::default();
    if matches!(attr.meta, Meta::Path(_)) {
        return file;
    }
    for meta in items(attr, errors) {
        if meta.path().is_ident("max_size") {
            if let Some(size) = errors.keep(text(&meta, "5MB")) {
                let bytes =
                    super::values::size_bytes(&size.value()).map_err(|message| syn::Error::new(size.span(), message));
                file.max_size_bytes = errors.keep(bytes);
            }
        } else if meta.path().is_ident("content_types") {
            for item in errors.keep(texts(&meta)).unwrap_or_default() {
                let value = item.value();
                if super::values::is_content_type(&value) {
                    file.content_types.push(value);
                } else {
                    errors.at(
                        item,
                        format!("`{value}` is not a content type: write one such as \"image/png\" or \"image/*\""),
                    );
                }
            }
        } else {
            errors.push(unknown(&meta, "#[file]", "`max_size = \"5MB\"` and `content_types = [\"image/png\"]`"));
        }
    }
    file
}

/// Reads `name = ["a", "b"]`.
fn texts(meta: &Meta) -> syn::Result<Vec<LitStr>> {
    let wrong =
        || syn::Error::new_spanned(meta, "write a list of texts: `content_types = [\"image/png\", \"image/jpeg\"]`");
    let Meta::NameValue(pair) = meta else { return Err(wrong()) };
    let Expr::Array(list) = &pair.value else { return Err(wrong()) };
    if list.elems.is_empty() {
        return Err(syn::Error::new_spanned(
            list,
            "an empty list takes no file at all: leave it out to take every type",
        ));
    }
    list.elems
        .iter()
        .map(|item| match item {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
            _ => Err(wrong()),
        })
        .collect()
}

/// Joins the lines of a doc comment.
pub(crate) fn docs(attrs: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attr.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
        {
            let text = text.value();
            lines.extend(text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned()));
            if text.is_empty() {
                lines.push(String::new());
            }
        }
    }
    lines.join("\n").trim().to_owned()
}
