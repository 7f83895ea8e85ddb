//! Pretty-printed expansions, reviewed, and what must hold for every one.

use quote::quote;

use super::expand;

fn pretty(args: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> String {
    let expanded = expand(args, item);
    let file = syn_file(&expanded);
    assert!(!file.contains("compile_error"), "{file}");
    file
}

/// `prettyplease` may be built on another version of `syn` than ours.
fn syn_file(tokens: &proc_macro2::TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens.clone()).expect("an expansion is a list of items"))
}

#[test]
fn a_struct() {
    insta::assert_snapshot!(pretty(
        quote!(),
        quote! {
            /// A unit of work.
            #[derive(PartialEq, Clone)]
            pub struct Task {
                pub id: i64,
                /// What is to be done.
                #[validate(length(min = 1, max = 200), pattern = "^a")]
                pub title: String,
                #[default(3)]
                #[serde(rename = "rank")]
                pub priority: u8,
            }
        }
    ));
}

#[test]
fn an_input() {
    insta::assert_snapshot!(pretty(
        quote!(rename_all = "camelCase"),
        quote! {
            struct ListTasks {
                #[path]
                project_id: i64,
                #[query("q")]
                text: Option<String>,
            }
        }
    ));
}

#[test]
fn an_output_in_parts() {
    insta::assert_snapshot!(pretty(
        quote!(),
        quote! {
            struct Created<T> {
                item: T,
                #[header("Location")]
                location: String,
                #[cookie("last", http_only, max_age = "7d")]
                last: i64,
            }
        }
    ));
}

#[test]
fn a_newtype() {
    insta::assert_snapshot!(pretty(
        quote!(),
        quote!(
            struct UserId(#[validate(range(min = 1))] i64);
        )
    ));
}

#[test]
fn plain_names() {
    insta::assert_snapshot!(pretty(
        quote!(rename_all = "snake_case"),
        quote!(
            enum State {
                Open,
                InReview,
            }
        )
    ));
}

#[test]
fn an_internally_tagged_enum() {
    insta::assert_snapshot!(pretty(
        quote!(tag = "kind"),
        quote! {
            enum State { Open, Done { at: u8 }, Other(Details) }
        }
    ));
}

#[test]
fn every_mistake_is_reported_and_the_type_comes_back() {
    let expanded = expand(
        quote!(tagged),
        quote! {
            struct Task {
                #[validate(size(max = 1), length(min = 2, max = 1))]
                #[path]
                #[query]
                title: String,
            }
        },
    );
    let text = syn_file(&expanded);
    assert_eq!(text.matches("compile_error").count(), 4, "{text}");
    assert!(text.contains("struct Task"), "{text}");
    assert!(text.contains("Deserialize<'de> for Task"), "{text}");
    assert!(!text.contains("    #[path]"), "{text}");
}
