//! The function's signature: what kind of function it is, what it returns, and the name that its message takes from it.

use proc_macro2::Ident;
use quote::{ToTokens, format_ident};
use syn::{ReturnType, Type, ext::IdentExt, visit::Visit};

use super::param::{self, Field};
use crate::{errors::Errors, function::Function};

/// The function itself must be one that every door can call.
pub(crate) fn check(function: &Function, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(constness) = &sig.constness {
        errors.at(constness, "an action cannot be `const`: leave this out");
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi, "an action is an ordinary function: leave this out");
    }
    if !sig.safety.to_token_stream().is_empty() {
        errors.at(&sig.safety, "an action is called by every door, so it is safe: leave this out");
    }
    if !sig.generics.params.is_empty() {
        let message = "an action has no generics: each action is one entry of the registry; write one function for each type, and \
                       let them share a generic helper";
        errors.at(&sig.generics.params, message);
    } else if let Some(clause) = &sig.generics.where_clause {
        errors.at(clause, "an action has no generics, so there is nothing to bound: leave this out");
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic, "an action takes a fixed number of parameters: leave this out");
    }
}

/// Returns the written return type.
pub(crate) fn result(function: &Function, errors: &mut Errors) -> Option<Type> {
    let ReturnType::Type(_, ty) = &function.sig.output else {
        let message =
            "an action returns a `Result`: write `-> Result<()>` for no answer, or `-> Result<Task, TaskError>`";
        errors.at(&function.sig.ident, message);
        return None;
    };
    if function.sig.asyncness.is_none() && is_future(ty) {
        let message = "a plain `fn` computes its answer and does not wait: write `async fn`, and the answer's own type";
        errors.at(ty, message);
        return None;
    }
    if let Some(output) = surely_no_result(ty) {
        errors.at(ty, format!("an action returns a `Result`: write `-> Result<{output}>`"));
        return None;
    }
    Opaque(errors).visit_type(ty);
    Some((**ty).clone())
}

/// Returns whether a type is written as a future: then the function was meant to be async.
fn is_future(ty: &Type) -> bool {
    let is_named = |bounds: &syn::punctuated::Punctuated<syn::TypeParamBound, syn::Token![+]>| {
        bounds.iter().any(|bound| match bound {
            syn::TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| last.ident == "Future"),
            _ => false,
        })
    };
    match ty {
        Type::ImplTrait(opaque) => is_named(&opaque.bounds),
        Type::TraitObject(object) => is_named(&object.bounds),
        _ => param::last_segment(ty).is_some_and(|last| match last.ident.to_string().as_str() {
            "BoxFuture" | "LocalBoxFuture" => true,
            "Pin" | "Box" => match &last.arguments {
                syn::PathArguments::AngleBracketed(arguments) => arguments
                    .args
                    .iter()
                    .any(|argument| matches!(argument, syn::GenericArgument::Type(ty) if is_future(ty))),
                _ => false,
            },
            _ => false,
        }),
    }
}

/// Reports types without a name.
struct Opaque<'a>(&'a mut Errors);
impl<'ast> Visit<'ast> for Opaque<'_> {
    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        self.0.at(ty, "the output of an action has a name, since the document describes it: write the type itself");
    }
}

/// Returns a type that no alias of `Result` is; all others are left to rustc.
fn surely_no_result(ty: &Type) -> Option<String> {
    let plain = match ty {
        Type::Tuple(_) | Type::Array(_) | Type::Slice(_) => true,
        _ => {
            let names = [
                "String",
                "Vec",
                "Option",
                "Created",
                "Redirect",
                "Text",
                "Html",
                "Bytes",
                "NoContent",
                "Sse",
                "bool",
                "char",
            ];
            let numbers = ["u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64", "f32", "f64", "usize", "isize"];
            let mut names = names.iter().chain(&numbers);
            param::last_segment(ty).is_some_and(|last| names.any(|name| last.ident == name))
        }
    };
    plain.then(|| ty.to_token_stream().to_string().replace(' ', ""))
}

/// Returns the name of the message, unless a type of the signature has it too.
pub(crate) fn message_name<'a>(
    given: Option<&Ident>,
    function: &Function,
    whole: Option<&Type>,
    fields: &[Field],
    providers: &[Type],
    events: impl Iterator<Item = &'a syn::Path>,
    errors: &mut Errors,
) -> Option<Ident> {
    let ident = &function.sig.ident;
    let camel = param::camel_case(&ident.unraw().to_string());
    let name = match given {
        Some(name) => name.clone(),
        None if syn::parse_str::<Ident>(&camel).is_ok() => format_ident!("{camel}", span = ident.span()),
        None => {
            errors.at(ident, format!("`{camel}` cannot be the name of the message type: name it by `message = …`"));
            return None;
        }
    };
    let mut finds = Finds(&name, false);
    for ty in fields.iter().map(|field| &field.ty).chain(providers) {
        finds.visit_type(ty);
    }
    finds.visit_return_type(&function.sig.output);
    let mut taken = finds.1 && whole.is_none();
    // An event that is the whole input of its subscriber is the message too.
    if whole.and_then(param::last_segment).is_none_or(|last| last.ident != name) {
        let mut finds = Finds(&name, false);
        events.for_each(|event| finds.visit_path(event));
        taken |= finds.1;
    }
    if taken {
        let message = format!(
            "the message of `{ident}` would be the type `{name}`, and the function names another type `{name}`: choose a name for \
             the message, `#[action(…, message = {name}Message)]`"
        );
        errors.at(given.unwrap_or(ident), message);
        return None;
    }
    Some(name)
}

/// Looks for a name among types.
struct Finds<'a>(&'a Ident, bool);
impl<'ast> Visit<'ast> for Finds<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.1 |= path.get_ident() == Some(self.0) || path.segments.len() == 1 && path.segments[0].ident == *self.0;
        syn::visit::visit_path(self, path);
    }
}

/// Returns the `Ok` type of a `Result` that is written out.
pub(crate) fn ok_type(result: &Type) -> Option<&Type> {
    let segment = param::last_segment(result).filter(|segment| segment.ident == "Result")?;
    match &segment.arguments {
        syn::PathArguments::AngleBracketed(arguments) => match arguments.args.first()? {
            syn::GenericArgument::Type(ty) => Some(ty),
            _ => None,
        },
        _ => None,
    }
}
