//! A function whose body is not looked at.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{
    Attribute, FnArg, Signature, Visibility,
    parse::{Parse, ParseStream},
    token,
};

/// An annotated function. The body stays as tokens: a mistake in it is rustc's to report, at its place.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        if !input.peek(token::Brace) {
            return Err(input.error("the function needs a body: `{ … }`"));
        }
        Ok(Self { attrs, vis, sig, body: input.parse()? })
    }
}

impl Function {
    /// Drops those attributes of parameters that are not `kept`.
    pub(crate) fn strip(&mut self, kept: impl Fn(&Attribute) -> bool) {
        for input in &mut self.sig.inputs {
            match input {
                FnArg::Receiver(receiver) => receiver.attrs.retain(&kept),
                FnArg::Typed(typed) => typed.attrs.retain(&kept),
            }
        }
    }

    /// Returns the `#[cfg]` attributes: whatever is made from the function must go away with it.
    pub(crate) fn cfgs(&self) -> impl Iterator<Item = &Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident("cfg"))
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.attrs.iter().for_each(|attr| attr.to_tokens(tokens));
        self.vis.to_tokens(tokens);
        self.sig.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
