//! What the macro emits, pretty-printed and reviewed.

use proc_macro2::TokenStream;
use quote::quote;

/// Expands and prints; tokens that are no file are printed as they are.
fn expand(args: TokenStream, item: &TokenStream) -> String {
    let tokens = super::expand(args, item);
    match syn::parse2(tokens.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(_) => tokens.to_string(),
    }
}

/// Returns the messages of all mistakes.
fn mistakes(args: TokenStream, item: &TokenStream) -> String {
    let text = super::expand(args, item).to_string();
    let messages = text.split("compile_error ! {").skip(1).filter_map(|rest| rest.split(" }").next());
    messages.map(|message| message.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

#[test]
fn parameters_become_a_message() {
    insta::assert_snapshot!(expand(
        quote!(
            post = "/tasks",
            status = 201,
            tags = ["tasks"],
            guards = [has_permission("tasks:write")],
            timeout = "10s",
            body_limit = "5MB",
            deprecated
        ),
        &quote! {
            /// Creates a task in a project.
            ///
            /// At most 100 a project.
            pub async fn create_task(
                ctx: Ctx,
                #[guard] user: SignedIn,
                #[path] project_id: i64,
                /// What to do.
                #[validate(length(min = 1, max = 200))] mut title: String,
                #[query] notify: Option<bool>,
                due: Patch<DateTimeUtc>,
                #[default(3)] priority: u8,
                #[header("X-Request-Source")] #[allow(unused)] source: Option<String>,
            ) -> Result<Created<Task>, TaskError> {
                work(ctx, user)
            }
        }
    ));
}

#[test]
fn no_input_is_an_empty_message() {
    insta::assert_snapshot!(expand(quote!(get = "/ping"), &quote! { async fn ping() -> Result<()> { Ok(()) } }));
}

#[test]
fn a_struct_with_the_name_of_the_message_is_the_message() {
    insta::assert_snapshot!(expand(
        quote!(get = "/tasks", post = "/tasks/search"),
        &quote! { async fn list_tasks(ctx: Ctx, input: api::ListTasks) -> Result<Page<Task>> { all() } }
    ));
}

#[test]
fn another_struct_is_wrapped() {
    insta::assert_snapshot!(expand(
        quote!(get = "/tasks", message = FindTasks, content_type = "text/csv"),
        &quote! {
            #[cfg(feature = "csv")]
            pub(crate) async fn export(#[input] filter: Filter, ctx: Ctx) -> bunbase::Result<Text> { all() }
        }
    ));
}

#[test]
fn the_function_comes_back_whatever_is_wrong() {
    insta::assert_snapshot!(expand(
        quote!(get = "tasks", timeot = "1s"),
        &quote! { fn list(#[querry] a: &str, #[path] b: u8) { this is (no) rust } }
    ));
}

#[test]
fn every_mistake_is_reported() {
    insta::assert_snapshot!(mistakes(
        quote!(
            get = "/a/{id}",
            get = "/a/{id}",
            delete = "x",
            event = "y",
            status = 404,
            timeout = "ten",
            body_limit = "1",
            name = "a b",
            content_type = "csv",
            name = "twice"
        ),
        &quote! {
            fn list<T>(
                self, ctx: Ctx, again: Ctx, other: &Ctx, #[body] a: T, #[body] b: u8, (c, d): (u8, u8), #[header("a b")] e: u8,
                #[path] #[query] f: u8, #[guard] #[query] g: Guard, #[header] authorization: String, #[file] h: Upload, i: impl Into<u8>,
                #[query("z")] j: u8, #[query("z")] k: u8, #[cfg(unix)] l: u8,
            ) {}
        }
    ));
}
