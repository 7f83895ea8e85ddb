//! `#[validate(…)]`: constraints, written once and emitted twice, for values and for the schema.

use proc_macro2::Span;
use syn::{Attribute, Expr, ExprLit, ExprUnary, Lit, LitStr, Meta, Path, UnOp, parse::Parser, spanned::Spanned};

use super::attr;
use crate::errors::Errors;

/// A literal number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    #[expect(clippy::cast_precision_loss, reason = "only to compare bounds with each other")]
    fn as_float(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(n) => n,
        }
    }

    fn is_more_than(self, other: Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a > b,
            (a, b) => a.as_float() > b.as_float(),
        }
    }
}

/// One rule of a field.
pub(super) enum Rule {
    Length { min: Option<u64>, max: Option<u64> },
    Range { min: Option<Number>, max: Option<Number>, exclusive_min: bool, exclusive_max: bool },
    MultipleOf(Number),
    Pattern(LitStr),
    Format(&'static str),
    Unique,
    Each(Vec<Rule>),
    Custom(Path),
}

const ALLOWED: &str = "`length(min = 1, max = 200)`, `range(min = 0, max = 10)` (also `exclusive_min`, `exclusive_max`), \
                       `multiple_of = 5`, `pattern = \"…\"`, `email`, `url`, `ip`, `unique`, `each(…)` and `custom = path::to::function`";

/// Reads `#[validate(…)]` and adds its rules.
pub(super) fn parse(attr: &Attribute, rules: &mut Vec<Rule>, errors: &mut Errors) {
    let metas = attr::items(attr, errors);
    if metas.is_empty() && errors.is_empty() {
        errors.at(attr, format!("`#[validate]` needs a rule: {ALLOWED}"));
    }
    read(metas, rules, errors);
}

fn read(metas: Vec<Meta>, rules: &mut Vec<Rule>, errors: &mut Errors) {
    let mut seen: Vec<String> = Vec::new();
    for meta in metas {
        let name = meta.path().get_ident().map(ToString::to_string).unwrap_or_default();
        if name != "custom" && seen.contains(&name) {
            errors.at(&meta, format!("`{name}` is there twice: write one with all its bounds"));
            continue;
        }
        let rule = match name.as_str() {
            "length" => length(&meta, errors),
            "range" => range(&meta, errors),
            "multiple_of" => errors.keep(multiple_of(&meta)),
            "pattern" => errors.keep(pattern(&meta)),
            "email" => attr::flag(&meta, errors).then_some(Rule::Format("Email")),
            "url" => attr::flag(&meta, errors).then_some(Rule::Format("Url")),
            "ip" => attr::flag(&meta, errors).then_some(Rule::Format("Ip")),
            "unique" => attr::flag(&meta, errors).then_some(Rule::Unique),
            "each" => each(&meta, errors),
            "custom" => errors.keep(custom(&meta)),
            _ => {
                errors.push(attr::unknown(&meta, "#[validate]", ALLOWED));
                None
            }
        };
        seen.push(name);
        rules.extend(rule);
    }
}

/// Reads the items of `name(…)`, which are not empty.
fn inner(meta: &Meta, example: &str, errors: &mut Errors) -> Option<Vec<Meta>> {
    let Meta::List(list) = meta else {
        errors.at(meta, format!("write `{example}`"));
        return None;
    };
    let metas = errors.keep(attr::metas.parse2(list.tokens.clone()))?;
    if metas.is_empty() {
        errors.at(meta, format!("this allows everything: write `{example}`"));
        return None;
    }
    Some(metas)
}

fn length(meta: &Meta, errors: &mut Errors) -> Option<Rule> {
    let (mut min, mut max) = (None, None);
    for bound in inner(meta, "length(min = 1, max = 200)", errors)? {
        let slot = if bound.path().is_ident("min") {
            &mut min
        } else if bound.path().is_ident("max") {
            &mut max
        } else {
            errors.push(attr::unknown(&bound, "length", "`min` and `max`"));
            continue;
        };
        let Some(number) = errors.keep(number(&bound)) else { continue };
        match number {
            Number::Int(n) if u64::try_from(n).is_ok() => {
                attr::once(slot, n.unsigned_abs(), &bound, "this bound", errors);
            }
            _ => errors.at(&bound, "a length is a whole number from 0"),
        }
    }
    if let (Some(min), Some(max)) = (min, max)
        && min > max
    {
        errors.at(meta, format!("no value is both at least {min} and at most {max} long: exchange `min` and `max`"));
        return None;
    }
    let narrow = |n: Option<u128>| n.and_then(|n| u64::try_from(n).ok());
    (min.is_some() || max.is_some()).then(|| Rule::Length { min: narrow(min), max: narrow(max) })
}

fn range(meta: &Meta, errors: &mut Errors) -> Option<Rule> {
    let (mut min, mut max) = (None, None);
    let (mut exclusive_min, mut exclusive_max) = (false, false);
    for bound in inner(meta, "range(min = 0, max = 100)", errors)? {
        let name = bound.path().get_ident().map(ToString::to_string).unwrap_or_default();
        let (slot, exclusive) = match name.as_str() {
            "min" => (&mut min, None),
            "max" => (&mut max, None),
            "exclusive_min" => (&mut min, Some(&mut exclusive_min)),
            "exclusive_max" => (&mut max, Some(&mut exclusive_max)),
            _ => {
                errors.push(attr::unknown(&bound, "range", "`min`, `max`, `exclusive_min` and `exclusive_max`"));
                continue;
            }
        };
        let Some(number) = errors.keep(number(&bound)) else { continue };
        attr::once(slot, number, &bound, "this bound", errors);
        if let Some(exclusive) = exclusive {
            *exclusive = true;
        }
    }
    if let (Some(min), Some(max)) = (min, max)
        && (min.is_more_than(max) || (min == max && (exclusive_min || exclusive_max)))
    {
        errors.at(meta, "no number lies between these bounds: the lower is above the upper");
        return None;
    }
    (min.is_some() || max.is_some()).then_some(Rule::Range { min, max, exclusive_min, exclusive_max })
}

fn multiple_of(meta: &Meta) -> syn::Result<Rule> {
    let step = number(meta)?;
    if step.as_float() > 0.0 {
        Ok(Rule::MultipleOf(step))
    } else {
        Err(syn::Error::new_spanned(meta, "a step is above 0: write `multiple_of = 5`"))
    }
}

fn pattern(meta: &Meta) -> syn::Result<Rule> {
    let text = attr::text(meta, "^[a-z]+$")?;
    match regex_syntax::parse(&text.value()) {
        Ok(_) => Ok(Rule::Pattern(text)),
        Err(error) => {
            let what = match &error {
                regex_syntax::Error::Parse(error) => error.kind().to_string(),
                regex_syntax::Error::Translate(error) => error.kind().to_string(),
                _ => "not understood".to_owned(),
            };
            let message =
                format!("`{}` is not a regular expression (syntax of the crate `regex`): {what}", text.value());
            Err(syn::Error::new(text.span(), message))
        }
    }
}

fn each(meta: &Meta, errors: &mut Errors) -> Option<Rule> {
    let mut rules = Vec::new();
    read(inner(meta, "each(length(min = 1))", errors)?, &mut rules, errors);
    (!rules.is_empty()).then_some(Rule::Each(rules))
}

fn custom(meta: &Meta) -> syn::Result<Rule> {
    if let Meta::NameValue(pair) = meta
        && let Expr::Path(path) = &pair.value
        && path.qself.is_none()
    {
        return Ok(Rule::Custom(path.path.clone()));
    }
    Err(syn::Error::new_spanned(
        meta,
        "write `custom = path::to::function`, where `fn function(value: &T) -> Result<(), String>`",
    ))
}

/// Reads `name = -1.5`.
fn number(meta: &Meta) -> syn::Result<Number> {
    let wrong = |span: Span| syn::Error::new(span, "write a literal number, such as `min = 1` or `min = -0.5`");
    let Meta::NameValue(pair) = meta else { return Err(wrong(meta.span())) };
    let (negative, literal) = match &pair.value {
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => (true, expr.as_ref()),
        expr => (false, expr),
    };
    match literal {
        Expr::Lit(ExprLit { lit: Lit::Int(n), .. }) => {
            let n: i128 = n.base10_parse()?;
            Ok(Number::Int(if negative { -n } else { n }))
        }
        Expr::Lit(ExprLit { lit: Lit::Float(n), .. }) => {
            let n: f64 = n.base10_parse()?;
            Ok(Number::Float(if negative { -n } else { n }))
        }
        other => Err(wrong(other.span())),
    }
}
