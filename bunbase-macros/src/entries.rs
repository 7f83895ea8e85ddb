//! `key = value, key, key(…)`: what stands between the parentheses of the framework's macros.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Expr, ExprLit, Lit, LitInt, LitStr, Token,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    token,
};

use crate::errors::Errors;

/// One entry of the list.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

/// What an entry says about its key.
pub(crate) enum Value {
    /// `key`
    Flag,
    /// `key = value`
    Expr(Box<Expr>),
    /// `key(…)`
    List(TokenStream),
}

/// Reads all entries. One that cannot be read is reported, and reading goes on after the next comma.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Vec<Entry> {
    let mut entries = Vec::new();
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match entry(input) {
                Ok(entry) => entries.push(entry),
                Err(error) => {
                    errors.push(error);
                    skip(input);
                }
            }
            // What follows is read as the next entry even where the comma is missing.
            if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                errors.push(input.error("write a comma before this"));
                if !input.peek(syn::Ident::peek_any) {
                    skip(input);
                }
            }
        }
        Ok(())
    };
    // Reading reports its own mistakes and never stops early.
    let _ = read.parse2(tokens);
    entries
}

/// Reads a list that begins with a value: `"0 2 * * *", zone = "UTC"`. The value is `None` where the list begins otherwise.
pub(crate) fn parse_led(tokens: TokenStream, errors: &mut Errors) -> (Option<Expr>, Vec<Entry>) {
    let split = |input: ParseStream<'_>| {
        let first = input.fork().parse::<Expr>().ok().filter(|first| !matches!(first, Expr::Assign(_)));
        if first.is_some() {
            input.parse::<Expr>()?;
            if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                errors.push(input.error("write a comma before this"));
            }
        }
        Ok((first, input.parse::<TokenStream>()?))
    };
    // Nothing in it fails: what is no value is left for the list.
    let (first, rest) = split.parse2(tokens).unwrap_or_default();
    (first, parse(rest, errors))
}

fn entry(input: ParseStream<'_>) -> syn::Result<Entry> {
    let key =
        input.call(Ident::parse_any).map_err(|error| syn::Error::new(error.span(), "write `key = value` here"))?;
    let value = if input.parse::<Option<Token![=]>>()?.is_some() {
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new_spanned(&key, format!("`{key} =` has no value")));
        }
        Value::Expr(input.parse()?)
    } else if input.peek(token::Paren) {
        let content;
        syn::parenthesized!(content in input);
        Value::List(content.parse()?)
    } else {
        Value::Flag
    };
    Ok(Entry { key, value })
}

/// Skips to the next comma; a group counts as one token.
fn skip(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

impl Entry {
    /// Takes a text: `key = "…"`.
    pub(crate) fn text(&self, example: &str) -> syn::Result<LitStr> {
        match &self.value {
            Value::Expr(expr) => match &**expr {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
                other => Err(self.wrong(other, &format!("a text in quotes, such as `{} = {example}`", self.key))),
            },
            _ => Err(self.wrong(&self.key, &format!("a text: `{} = {example}`", self.key))),
        }
    }

    /// Takes a whole number: `key = 1`.
    pub(crate) fn number(&self, example: &str) -> syn::Result<LitInt> {
        match &self.value {
            Value::Expr(expr) => match &**expr {
                Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => Ok(number.clone()),
                other => Err(self.wrong(other, &format!("a number, such as `{} = {example}`", self.key))),
            },
            _ => Err(self.wrong(&self.key, &format!("a number: `{} = {example}`", self.key))),
        }
    }

    /// Takes a list of expressions: `key = [a, b]`.
    pub(crate) fn list(&self, example: &str) -> syn::Result<Vec<Expr>> {
        match &self.value {
            Value::Expr(expr) => match &**expr {
                Expr::Array(array) => Ok(array.elems.iter().cloned().collect()),
                other => Err(self.wrong(other, &format!("a list: `{} = {example}`", self.key))),
            },
            _ => Err(self.wrong(&self.key, &format!("a list: `{} = {example}`", self.key))),
        }
    }

    /// Takes a list of texts: `key = ["…"]`.
    pub(crate) fn texts(&self, example: &str) -> syn::Result<Vec<LitStr>> {
        let mut texts = Vec::new();
        for expr in self.list(example)? {
            match expr {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => texts.push(text),
                other => return Err(self.wrong(&other, &format!("texts in quotes: `{} = {example}`", self.key))),
            }
        }
        Ok(texts)
    }

    /// Takes a name: `key = Name`.
    pub(crate) fn ident(&self, example: &str) -> syn::Result<Ident> {
        match &self.value {
            Value::Expr(expr) => match &**expr {
                Expr::Path(path) if path.path.get_ident().is_some() => Ok(path.path.require_ident()?.clone()),
                other => Err(self.wrong(other, &format!("a new name: `{} = {example}`", self.key))),
            },
            _ => Err(self.wrong(&self.key, &format!("a new name: `{} = {example}`", self.key))),
        }
    }

    /// Takes a path: `key = path::to::it`, or another expression.
    pub(crate) fn path(&self, example: &str) -> syn::Result<Expr> {
        match &self.value {
            Value::Expr(expr) if !matches!(**expr, Expr::Lit(_)) => Ok((**expr).clone()),
            Value::Expr(other) => {
                Err(self
                    .wrong(&**other, &format!("the path of a function, without quotes: `{} = {example}`", self.key)))
            }
            _ => Err(self.wrong(&self.key, &format!("the path of a function: `{} = {example}`", self.key))),
        }
    }

    /// Takes one of some words, `key = word`, and returns what it stands for.
    pub(crate) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> syn::Result<T> {
        let wrong: &dyn ToTokens = match &self.value {
            Value::Expr(expr) => {
                if let Expr::Path(path) = &**expr
                    && let Some((_, meaning)) = words.iter().find(|(word, _)| path.path.is_ident(word))
                {
                    return Ok(*meaning);
                }
                &**expr
            }
            _ => &self.key,
        };
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Err(self.wrong(wrong, &format!("one of the words {}: `{} = {}`", and(&words), self.key, words[0])))
    }

    /// Takes a key without a value.
    pub(crate) fn flag(&self) -> syn::Result<()> {
        match &self.value {
            Value::Flag => Ok(()),
            Value::Expr(expr) => Err(self.wrong(&**expr, &format!("no value: write `{}` alone", self.key))),
            Value::List(list) => Err(self.wrong(list, &format!("no value: write `{}` alone", self.key))),
        }
    }

    fn wrong(&self, tokens: &dyn ToTokens, expected: &str) -> syn::Error {
        let tokens = tokens.to_token_stream();
        let message = format!("`{}` takes {expected}", self.key);
        if tokens.is_empty() {
            syn::Error::new(self.key.span(), message)
        } else {
            syn::Error::new_spanned(tokens, message)
        }
    }
}

/// Reports a key that is not known, with the nearest one and all others.
pub(crate) fn unknown(key: &Ident, allowed: &[&str]) -> syn::Error {
    let name = key.unraw().to_string();
    let hint = nearest(&name, allowed).map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
    syn::Error::new_spanned(key, format!("there is no key `{name}`.{hint} Allowed: {}", and(allowed)))
}

/// Writes names as a list in prose.
pub(crate) fn and(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// Returns the allowed name that `name` was probably meant to be.
pub(crate) fn nearest<'a>(name: &str, allowed: &[&'a str]) -> Option<&'a str> {
    let close = allowed.iter().map(|other| (distance(name, other), *other)).min();
    close.filter(|(distance, other)| *distance <= 1 + other.len() / 4).map(|(_, other)| other)
}

/// Counts the letters to insert, remove or replace between two words (Levenshtein, 1966).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use super::*;

    #[test]
    fn a_broken_entry_does_not_hide_the_next_ones() {
        let mut errors = Errors::default();
        let entries = parse(quote!(a = "1", b = , c = = 2, d(x y), e f = 3), &mut errors);
        let keys: Vec<_> = entries.iter().map(|entry| entry.key.to_string()).collect();
        assert_eq!(keys, ["a", "d", "e", "f"]);
        assert!(!errors.is_empty());
    }

    #[test]
    fn the_nearest_name_is_a_near_one() {
        assert_eq!(nearest("timeot", &["tags", "timeout"]), Some("timeout"));
        assert_eq!(nearest("zzz", &["tags", "timeout"]), None);
    }
}
