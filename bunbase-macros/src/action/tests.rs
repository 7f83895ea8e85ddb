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
fn doors_become_triggers() {
    insta::assert_snapshot!(expand(
        quote!(
            webhook = "/hooks/{tenant}",
            verify = stripe("SECRET"),
            webhook("/hooks", verify = Open),
            event = "task.created",
            event(TaskMoved, ordered),
            event("config.changed", broadcast),
            tool = "move_task",
            retry(attempts = 5, backoff = fixed, base = "1m", jitter = none),
            idempotent,
            queue = "mail",
            priority = high,
            check_input = tasks::check
        ),
        &quote! { fn move_task(tenant: Option<String>, id: Option<i64>) -> Result<()> { compute() } }
    ));
}

#[test]
fn a_schedule_asks_for_an_input_of_nothing_and_for_guards_without_callers() {
    insta::assert_snapshot!(expand(
        quote!(
            cron("0  2 * * mon-fri", zone = "Europe/Berlin", missed = once, overlap = queue),
            every = "120s",
            tool,
            cpu,
            retry,
            guards = [weekdays(), Open],
            check_input = check
        ),
        &quote! { async fn sweep(#[guard] user: Option<SignedIn>, input: Filter) -> Result<u64> { count() } }
    ));
}

#[test]
fn every_mistake_of_the_doors_is_reported() {
    insta::assert_snapshot!(mistakes(
        quote!(
            event,
            event = "Task Created",
            event = 7,
            event(ordered, "task.created"),
            event("task.created", orderd, ordered, broadcast),
            event = TaskMoved,
            event(TaskMoved, broadcast),
            cron = "0 25 * *",
            cron = "0 25 * * MOO",
            cron(zone = "UTC"),
            cron("@daily", zone = "+02:00", missed = never, overlap = "queue", overlap = skip, zome = "UTC"),
            every = "500ms",
            every("30s", zone = "UTC"),
            every("30s"),
            every = "30s",
            webhook = "hooks",
            webhook("/a"),
            webhook("/b", verify),
            webhook("/{id}", verify = Open),
            webhook = "/c",
            webhook = "/d",
            post = "/{id}",
            tool = "move task",
            retry(attempts = 0, backoff = linear, base = "1m", jitter = full, jitter = none, tries = 3),
            idempotent = true,
            cpu(2),
            queue = "mail box",
            priority = "high",
            check_input = "check",
            job = "x",
            schedule = "y"
        ),
        &quote! { async fn sweep(id: u8, #[file] photo: Upload) -> Result<()> {} }
    ));
    insta::assert_snapshot!(mistakes(
        quote!(verify = Open, tool("x"), retry = 3, retry(max = "2s"), check_input),
        &quote! { fn sweep() -> impl Future<Output = Result<()>> {} }
    ));
    insta::assert_snapshot!(mistakes(
        quote!(retry(base = "5s", max = "2s")),
        &quote! { fn sweep() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {} }
    ));
    insta::assert_snapshot!(mistakes(
        quote!(retry(backoff = fixed, base = "5s", max = "9s"), tool = ""),
        &quote! { fn sweep() -> BoxFuture<'static, Result<()>> {} }
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
            event = "Y",
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
