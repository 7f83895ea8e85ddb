//! `#[bunbase::main]` and `#[bunbase::test]`: an `async fn` on a runtime.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{LitInt, ext::IdentExt};

use crate::{entries, errors::Errors, function::Function, paths};

/// Expands `#[bunbase::main]`.
pub(crate) fn main(args: TokenStream, item: &TokenStream) -> TokenStream {
    expand(args, item, |function, threads| {
        let private = paths::private();
        let (attrs, vis) = (&function.attrs, &function.vis);
        let (inner, name) = (inner(function), &function.sig.ident);
        quote! {
            #(#attrs)*
            #vis fn #name() -> #private::std::process::ExitCode {
                #inner
                #private::package(#private::std::option_env!("CARGO_PKG_VERSION"));
                #private::run_main(#threads, #name())
            }
        }
    })
}

/// Expands `#[bunbase::test]`.
pub(crate) fn test(args: TokenStream, item: &TokenStream) -> TokenStream {
    expand(args, item, |function, threads| {
        let private = paths::private();
        let (attrs, vis) = (&function.attrs, &function.vis);
        let (inner, name, output) = (inner(function), &function.sig.ident, &function.sig.output);
        quote! {
            #[#private::std::prelude::v1::test]
            #(#attrs)*
            #vis fn #name() #output {
                #inner
                #private::run_test(#threads, #name())
            }
        }
    })
}

/// The function as written, inside the one that starts the runtime.
fn inner(function: &Function) -> TokenStream {
    let (sig, body) = (&function.sig, &function.body);
    quote!(#sig #body)
}

fn expand(args: TokenStream, item: &TokenStream, emit: impl Fn(&Function, TokenStream) -> TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let private = paths::private();
    let mut threads = quote!(#private::std::option::Option::None);
    for entry in entries::parse(args, &mut errors) {
        if entry.key.unraw() != "worker_threads" {
            errors.push(entries::unknown(&entry.key, &["worker_threads"]));
        } else if let Some(number) = errors.keep(entry.number("4").and_then(counted)) {
            threads = quote!(#private::std::option::Option::Some(#number));
        }
    }
    let Some(function) = errors.keep(syn::parse2::<Function>(item.clone())) else {
        let errors = errors.to_tokens();
        return quote!(#item #errors);
    };
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        errors.at(sig.fn_token, "there is nothing to await in this: write `async fn`, or leave the attribute out");
    }
    if !sig.inputs.is_empty() {
        errors.at(&sig.inputs, "nobody calls this with arguments: leave the parameters out");
    }
    if !sig.generics.params.is_empty() {
        errors.at(&sig.generics, "nobody chooses a type for this: leave the generics out");
    }
    if errors.is_empty() {
        return emit(&function, threads);
    }
    let errors = errors.to_tokens();
    let (name, inner) = (&sig.ident, inner(&function));
    // Not `async`, or rustc would refuse that as well.
    quote! {
        #[allow(unused)]
        fn #name() {
            #inner
        }
        #errors
    }
}

fn counted(number: LitInt) -> syn::Result<TokenStream> {
    if number.base10_parse::<usize>()? == 0 {
        return Err(syn::Error::new_spanned(number, "a runtime needs at least one thread"));
    }
    Ok(number.into_token_stream())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(tokens: TokenStream) -> String {
        syn::parse2(tokens).map_or_else(|error| error.to_string(), |file| prettyplease::unparse(&file))
    }

    #[test]
    fn main_starts_a_runtime() {
        let item = quote! { async fn main() -> Result<()> { App::new().run().await } };
        insta::assert_snapshot!(print(main(quote!(worker_threads = 4), &item)));
    }

    #[test]
    fn a_test_keeps_its_attributes_and_its_result() {
        let item = quote! { #[ignore] async fn it_works() -> Result<()> { Ok(()) } };
        insta::assert_snapshot!(print(test(quote!(), &item)));
    }
}
