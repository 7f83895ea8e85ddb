//! The checked form of a type with `#[schema]`.
//!
//! A mistake is stored and the part that it concerns is left out, so that the rest is emitted all the same: callers of the
//! type must not fail too.

use quote::ToTokens;
use syn::{Data, DeriveInput, Fields, Generics, Ident, LitStr, Member, Type, ext::IdentExt, spanned::Spanned};

use super::{
    attr::{self, Container, DefaultValue, FieldAttrs, Mark, Place},
    case::Case,
    places,
    rules::Rule,
    serde_attr,
    variants::{tagging, unique_names, variant},
};
use crate::errors::Errors;

/// A type, checked.
pub(super) struct Model {
    pub(super) ident: Ident,
    pub(super) generics: Generics,
    pub(super) docs: String,
    /// The name of the component, without what type parameters add to it.
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What the type is.
pub(super) enum Kind {
    /// A struct with named fields: a JSON object.
    Record(Vec<Field>),
    /// A struct of one unnamed field: looks like what it holds.
    Newtype(Box<Field>),
    /// A struct of several unnamed fields: a JSON array.
    Tuple(Vec<Field>),
    /// An enum.
    Enum(Tagging, Vec<Variant>),
}

/// How an enum says which variant it is.
pub(super) enum Tagging {
    External,
    Internal(String),
    Adjacent(String, String),
    Untagged,
}

/// A variant, checked.
pub(super) struct Variant {
    pub(super) ident: Ident,
    pub(super) name: String,
    pub(super) docs: String,
    pub(super) deprecated: bool,
    /// Whether the tag has no place: reported, and the enum is emitted without one.
    pub(super) cannot_be_tagged: bool,
    pub(super) body: Body,
}

/// What a variant carries.
pub(super) enum Body {
    Plain,
    Record(Vec<Field>),
    Newtype(Box<Field>),
    Tuple(Vec<Field>),
}

/// A field, checked.
pub(super) struct Field {
    pub(super) member: Member,
    /// The Rust name, or the index.
    pub(super) name: String,
    pub(super) key: String,
    pub(super) ty: Type,
    pub(super) docs: String,
    pub(super) mark: Option<Mark>,
    pub(super) default: Option<DefaultValue>,
    pub(super) sensitive: bool,
    pub(super) deprecated: bool,
    pub(super) rules: Vec<Rule>,
    pub(super) skip: bool,
    pub(super) skip_if: Option<LitStr>,
    /// What an error about the whole field underlines.
    pub(super) at: proc_macro2::TokenStream,
}

impl Field {
    /// Returns whether nothing was said about it, so that its type alone describes it.
    pub(super) fn is_bare(&self) -> bool {
        self.rules.is_empty() && self.docs.is_empty() && self.default.is_none() && !self.sensitive && !self.deprecated
    }
}

impl Model {
    /// Checks a type and takes our attributes off it.
    pub(super) fn check(args: proc_macro2::TokenStream, item: &mut DeriveInput, errors: &mut Errors) -> Option<Self> {
        let mut container = Container::parse(args, errors);
        serde_attr::container(&mut item.attrs, &mut container, errors);
        let borrows = item.generics.lifetimes().next().is_some();
        for parameter in item.generics.lifetimes() {
            errors.at(
                parameter,
                "a type with `#[schema]` owns its data: write `String` for `&str` and `Vec<T>` for `&[T]`",
            );
        }
        let docs = attr::docs(&item.attrs);
        let name = container.rename.as_ref().map_or_else(|| item.ident.unraw().to_string(), LitStr::value);
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) || name.is_empty() {
            errors.at(
                &container.rename,
                format!("`{name}` cannot name a component: write letters, digits, `.`, `-` and `_`"),
            );
        }
        let kind = match &mut item.data {
            Data::Struct(data) => Self::of_struct(&container, &item.ident, &mut data.fields, errors)?,
            Data::Enum(data) => {
                if let Some(DefaultValue::OfStruct) = container.default {
                    errors.at(
                        &item.ident,
                        "`#[serde(default)]` on an enum means nothing: mark the fields that may be missing",
                    );
                }
                let mut tagging = tagging(&container, errors);
                let rename = spelling(container.rename_all.as_ref(), errors);
                let rename_fields = spelling(container.rename_all_fields.as_ref(), errors);
                let variants =
                    data.variants.iter_mut().map(|v| variant(v, &tagging, rename, rename_fields, errors)).collect();
                let variants: Vec<Variant> = variants;
                if variants.is_empty() {
                    errors.at(&item.ident, "an enum without variants has no values: add one");
                }
                unique_names(&variants, &tagging, errors);
                if variants.iter().any(|variant| variant.cannot_be_tagged) {
                    tagging = Tagging::External;
                }
                Kind::Enum(tagging, variants)
            }
            Data::Union(data) => {
                errors
                    .at(data.union_token, "`#[schema]` is for structs and enums: a union does not know what it holds");
                return None;
            }
        };
        // Nothing that could be made for a borrowed type would compile.
        (!borrows).then(|| Self { ident: item.ident.clone(), generics: item.generics.clone(), docs, name, kind })
    }

    fn of_struct(container: &Container, ident: &Ident, fields: &mut Fields, errors: &mut Errors) -> Option<Kind> {
        let on_enums = [
            ("tag", &container.tag),
            ("content", &container.content),
            ("rename_all_fields", &container.rename_all_fields),
        ];
        for (name, value) in on_enums {
            if let Some(value) = value {
                errors.at(value, format!("`{name}` is for enums: remove it from this struct"));
            }
        }
        if let Some(untagged) = &container.untagged {
            errors.at(untagged, "`untagged` is for enums: remove it from this struct");
        }
        let rename = spelling(container.rename_all.as_ref(), errors);
        match fields {
            Fields::Named(named) => {
                let mut list: Vec<Field> =
                    named.named.iter_mut().enumerate().map(|(i, f)| field(i, f, rename, errors)).collect();
                if container.default.is_some() {
                    for field in list.iter_mut().filter(|field| field.default.is_none() && !field.skip) {
                        field.default = Some(DefaultValue::OfStruct);
                    }
                }
                unique_keys(&list, errors);
                places::check(&mut list, errors);
                Some(Kind::Record(list))
            }
            Fields::Unnamed(unnamed) => {
                let mut list: Vec<Field> =
                    unnamed.unnamed.iter_mut().enumerate().map(|(i, f)| field(i, f, None, errors)).collect();
                unnamed_fields(&mut list, errors);
                match list.len() {
                    0 => {
                        errors.at(
                            ident,
                            format!("an empty struct has no form: write `struct {ident} {{}}` for an empty object"),
                        );
                        None
                    }
                    1 => list.pop().map(|field| Kind::Newtype(Box::new(field))),
                    _ => Some(Kind::Tuple(list)),
                }
            }
            Fields::Unit => {
                let advice = format!(
                    "a unit struct has no form in JSON: write `struct {ident} {{}}` for an empty object, or use `()` where there is nothing to say"
                );
                errors.at(ident, advice);
                None
            }
        }
    }
}

pub(super) fn spelling(text: Option<&LitStr>, errors: &mut Errors) -> Option<Case> {
    let text = text?;
    errors.keep(Case::named(&text.value()).map_err(|message| syn::Error::new(text.span(), message)))
}

pub(super) fn field(index: usize, field: &mut syn::Field, rename: Option<Case>, errors: &mut Errors) -> Field {
    let at = field.ident.as_ref().map_or_else(|| field.ty.to_token_stream(), ToTokens::to_token_stream);
    let attrs = FieldAttrs::take(&mut field.attrs, errors);
    let member = field.ident.clone().map_or(Member::Unnamed(index.into()), Member::Named);
    let name = field.ident.as_ref().map_or_else(|| index.to_string(), |ident| ident.unraw().to_string());
    let key = match (&attrs.serde.rename, rename) {
        (Some(key), _) => key.value(),
        (None, Some(case)) => case.field(&name),
        (None, None) => name.clone(),
    };
    let skip = attrs.serde.skip.is_some();
    if skip {
        let said = [
            (attrs.mark.as_ref().map(|mark| mark.attr.to_token_stream()), "a place"),
            ((!attrs.rules.is_empty()).then(|| at.clone()), "rules"),
        ];
        for (tokens, what) in said {
            if let Some(tokens) = tokens {
                errors.at(
                    tokens,
                    format!("a field with `#[serde(skip)]` is never sent, so it has no {what}: remove one of them"),
                );
            }
        }
    }
    Field {
        member,
        name,
        key,
        ty: field.ty.clone(),
        docs: attrs.docs,
        mark: attrs.mark,
        default: attrs.default,
        sensitive: attrs.sensitive,
        deprecated: attrs.deprecated,
        rules: attrs.rules,
        skip,
        skip_if: attrs.serde.skip_serializing_if,
        at,
    }
}

pub(super) fn refuse_places(fields: &mut [Field], whose: &str, errors: &mut Errors) {
    for field in fields {
        if let Some(mark) = field.mark.take() {
            let name = mark.attr.path().to_token_stream();
            errors.at(&mark.attr, format!("`#[{name}]` is for {whose}: the value here is one part of a body"));
        }
    }
}

/// Fields without names have neither keys nor places.
pub(super) fn unnamed_fields(fields: &mut [Field], errors: &mut Errors) {
    refuse_places(fields, "structs with named fields", errors);
    for field in fields {
        if field.skip || field.skip_if.is_some() {
            errors.at(&field.ty, "a field without a name cannot be left out: name the fields");
            field.skip = false;
            field.skip_if = None;
        }
        if field.default.take().is_some() {
            errors.at(&field.ty, "a field without a name cannot be missing, so it has no default: name the fields");
        }
    }
}

pub(super) fn unique_keys(fields: &[Field], errors: &mut Errors) {
    if fields.len() > 128 {
        errors.at(&fields[128].at, "a struct with `#[schema]` has at most 128 fields: group some of them in a struct");
    }
    let sent: Vec<_> = fields.iter().filter(|field| !field.skip).collect();
    for (index, field) in sent.iter().enumerate() {
        if let Some(first) = sent[..index].iter().find(|first| first.key == field.key) {
            let (key, name) = (&field.key, &first.name);
            errors.at(&field.at, format!("the key `{key}` is that of the field `{name}` already: rename one of them"));
        }
    }
}

/// Returns whether a mark means that the struct is an input: an answer has no path, query or files.
pub(super) fn is_input_mark(mark: &Mark) -> bool {
    matches!(mark.place, Place::Path | Place::Query | Place::File(_))
}

/// Returns whether a type names one of the parameters, so that it is known only where it is used.
pub(super) fn is_generic(ty: &Type, generics: &Generics) -> bool {
    struct Finder<'g>(&'g Generics, bool);
    impl<'ast> syn::visit::Visit<'ast> for Finder<'_> {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.1 |=
                self.0.type_params().any(|p| p.ident == *ident) || self.0.const_params().any(|p| p.ident == *ident);
        }
    }
    let mut finder = Finder(generics, false);
    syn::visit::Visit::visit_type(&mut finder, ty);
    finder.1
}

/// Returns the last segment of a type's path, such as `Patch` of `bunbase::Patch<T>`.
pub(super) fn last_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}

/// Returns what the compiler underlines for a type.
pub(super) fn span(ty: &Type) -> proc_macro2::Span {
    ty.span().resolved_at(proc_macro2::Span::call_site())
}
