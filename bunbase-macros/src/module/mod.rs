//! `module!` and `modules!`: what the actions of a Rust module share, and which modules a binary must hold.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, LitStr, Path, Token, ext::IdentExt, parse::Parser, punctuated::Punctuated, spanned::Spanned};

use crate::{
    action::{codegen, template},
    entries,
    errors::Errors,
    paths,
};

/// The keys of `module!`.
const KEYS: [&str; 5] = ["name", "prefix", "guards", "tags", "description"];

/// What `module!(…)` says.
#[derive(Default)]
struct Module {
    name: Option<LitStr>,
    prefix: Option<LitStr>,
    guards: Vec<Expr>,
    tags: Vec<LitStr>,
    description: Option<LitStr>,
}

/// Expands `module!(…)`.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let module = check(tokens, &mut errors);
    if !errors.is_empty() {
        return errors.to_tokens();
    }
    let private = paths::private();
    let own = || quote!(#private::module_name(#private::std::module_path!()));
    let name = module.name.map_or_else(own, ToTokens::into_token_stream);
    let text = |text: Option<LitStr>| text.map_or_else(|| quote!(""), ToTokens::into_token_stream);
    let (prefix, description, tags) = (text(module.prefix), text(module.description), module.tags);
    let guards = codegen::list(&module.guards);
    quote! {
        #private::inventory::submit! {
            #private::registry::ModuleEntry {
                meta: #private::action::ModuleMeta {
                    name: #name,
                    module_path: #private::std::module_path!(),
                    file: #private::std::file!(),
                    line: #private::std::line!(),
                    prefix: #prefix,
                    description: #description,
                    tags: &[#(#tags),*],
                },
                guards: || #guards,
            }
        }
    }
}

fn check(tokens: TokenStream, errors: &mut Errors) -> Module {
    let mut module = Module::default();
    let mut seen: Vec<String> = Vec::new();
    for entry in entries::parse(tokens, errors) {
        let key = entry.key.unraw().to_string();
        if seen.contains(&key) {
            errors.at(&entry.key, format!("`{key}` is here twice; keep one of them"));
            continue;
        }
        seen.push(key.clone());
        let taken = match key.as_str() {
            "name" => entry.text("\"tasks\"").and_then(name).map(|text| module.name = Some(text)),
            "prefix" => entry.text("\"/projects/{project_id}\"").map(|text| module.prefix = prefix(text, errors)),
            "guards" => entry.list("[api_key()]").map(|guards| module.guards = guards),
            "tags" => entry.texts("[\"tasks\"]").map(|tags| module.tags = tags),
            "description" => entry.text("\"Units of work.\"").map(|text| module.description = Some(text)),
            _ => Err(entries::unknown(&entry.key, &KEYS)),
        };
        errors.keep(taken);
    }
    module
}

/// A module's name is one part of its actions' names, or nothing.
fn name(text: LitStr) -> syn::Result<LitStr> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.value().chars().all(plain) {
        return Ok(text);
    }
    let message = format!(
        "{:?} cannot be the name of a module: write letters, digits, `_` and `-`, or `\"\"` for none",
        text.value()
    );
    Err(syn::Error::new_spanned(text, message))
}

fn prefix(text: LitStr, errors: &mut Errors) -> Option<LitStr> {
    let value = text.value();
    match template::parse(&value) {
        Err(mistakes) => mistakes.iter().for_each(|mistake| errors.at(&text, mistake)),
        Ok(_) if value.contains("{*") => {
            errors.at(&text, format!("the prefix {value:?} takes the rest of the path: nothing could follow it"));
        }
        Ok(_) if value == "/" => errors.at(&text, "the prefix \"/\" adds nothing: leave `prefix` out"),
        Ok(_) if value.ends_with('/') => {
            errors.at(
                &text,
                format!("the prefix {value:?} ends with a slash, and the paths after it begin with one: leave it out"),
            );
        }
        Ok(_) => return Some(text),
    }
    None
}

/// Expands `modules![…]`.
pub(crate) fn list(tokens: TokenStream) -> TokenStream {
    let private = paths::private();
    let mut errors = Errors::default();
    let modules = errors.keep(Punctuated::<Path, Token![,]>::parse_terminated.parse2(tokens)).unwrap_or_default();
    let (mut uses, mut names) = (Vec::new(), Vec::new());
    for path in &modules {
        if path.segments.iter().any(|segment| !segment.arguments.is_none()) {
            errors.at(path, "a module has no generics: write its path, such as `crate::tasks` or `my_actions`");
            continue;
        }
        let (mention, name) = module(path);
        uses.push(mention);
        names.push(name);
    }
    if !errors.is_empty() {
        let errors = errors.to_tokens();
        return quote!({ #errors #private::no_modules() });
    }
    quote! {{
        #(#uses)*
        const MODULES: &[&#private::std::primitive::str] = &[#(#names),*];
        MODULES
    }}
}

/// Returns the mention that keeps a module in the binary, and its path as `module_path!()` spells it.
fn module(path: &Path) -> (TokenStream, TokenStream) {
    let private = paths::private();
    let here = quote!(#private::std::module_path!());
    let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
    let up = segments.iter().take_while(|segment| *segment == "super").count();
    let first = segments.first().map_or("", String::as_str);
    let (base, rest) = match first {
        "crate" => (quote!(#private::crate_name(#here)), &segments[1..]),
        "self" => (here, &segments[1..]),
        "super" => (quote!(#private::outer_module(#here, #up)), &segments[up..]),
        _ => {
            // With the colons a module of this crate is not taken for a crate.
            let path = if path.leading_colon.is_some() { quote!(#path) } else { quote_spanned!(path.span()=> ::#path) };
            return (
                quote_spanned!(path.span()=> #[allow(unused_imports)] use #path as _;),
                segments.join("::").into_token_stream(),
            );
        }
    };
    if rest.is_empty() {
        return (TokenStream::new(), base);
    }
    let rest = format!("::{}", rest.join("::"));
    let bytes = format_ident!("BYTES", span = Span::mixed_site());
    let length = quote!(#base.len() + #rest.len());
    let name = quote!({
        const #bytes: [#private::std::primitive::u8; #length] = #private::join(#base, #rest);
        #private::text(&#bytes)
    });
    (quote_spanned!(path.span()=> #[allow(unused_imports)] use #path as _;), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(tokens: &TokenStream) -> String {
        prettyplease::unparse(&syn::parse_quote!(fn emitted() { #tokens }))
    }

    #[test]
    fn a_module_is_submitted() {
        insta::assert_snapshot!(print(&expand(quote! {
            prefix = "/projects/{project_id}", guards = [rate_limit(100)], tags = ["work"], description = "Units of work."
        })));
    }

    #[test]
    fn listed_modules_are_mentioned_and_named() {
        insta::assert_snapshot!(print(&list(quote!(my_actions, crate::tasks, self, super::other))));
    }
}
