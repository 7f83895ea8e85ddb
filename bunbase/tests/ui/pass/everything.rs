//! The forms that an action, a module and a start can take.
mod tasks {
    use bunbase::{
        Result,
        action::{Action as _, Text},
        context::Ctx,
        guard::Guard,
        schema::Patch,
    };

    bunbase::module!(prefix = "/projects/{project_id}", guards = [Open, self::Open]);

    pub struct Open;
    impl Guard for Open {
        type Error = bunbase::Error;
        async fn check(&self, _ctx: &Ctx) -> Result<()> {
            Ok(())
        }
    }

    #[bunbase::schema]
    pub struct ListTasks {
        #[query]
        pub limit: Option<u8>,
        pub id: i64,
    }

    /// Lists.
    #[bunbase::action(get = "/tasks/{id}")]
    pub async fn list_tasks(_: Ctx, input: ListTasks) -> Result<i64> {
        Ok(input.id + i64::from(input.limit.unwrap_or(0)))
    }

    #[bunbase::action(get = "/tasks/{id}/csv", post = "/tasks/{id}/export", content_type = "text/csv", name = "csv", guards = [Open])]
    async fn export(#[input] what: ListTasks) -> Result<Text, bunbase::Error> {
        Ok(what.id.to_string().into())
    }

    #[bunbase::action(patch = "/tasks/{id}", message = Change, status = 204, body_limit = "1KiB")]
    #[allow(clippy::unused_async)]
    pub async fn update(#[path] project_id: u8, id: u8, title: Patch<String>, #[default(3)] priority: u8) -> Result<()> {
        let _ = (project_id, id, title, priority);
        Ok(())
    }

    /// The template names `id`, so it needs no mark beside the body.
    #[bunbase::action(put = "/tasks/{id}")]
    pub async fn replace(id: u8, #[body] names: Vec<String>) -> Result<Vec<String>> {
        Ok(names.into_iter().skip(id.into()).collect())
    }

    #[cfg(any())]
    #[bunbase::action(get = "/never")]
    async fn never() -> Result<Missing> {}

    #[bunbase::action(get = "/never_either")]
    #[cfg(any())]
    async fn never_either(a: Missing) -> Result<Missing> {}

    pub fn check() {
        assert_eq!(ListTasks::META.name, "list_tasks");
        assert_eq!(ListTasks::META.line, 30);
        assert!(ListTasks::META.module_path.ends_with("::tasks"));
        assert_eq!((Export::META.name, Export::META.triggers.len(), Export::guards().len()), ("csv", 2, 1));
        assert_eq!(Export::from(ListTasks { limit: None, id: 1 }).0.id, 1);
        assert_eq!(Change::META.body_limit_bytes, Some(1024));
        let change = Change::new(1, 2).title(Patch::Clear);
        assert_eq!((change.priority, change.title), (3, Patch::Clear));
    }
}

mod outer {
    pub mod inner {
        pub fn check() {
            const LISTED: &[&str] = bunbase::modules![crate::tasks, self, super, super::inner, bunbase];
            let names: Vec<_> = LISTED.iter().map(|path| path.split_once("::").map_or("", |(_, rest)| rest)).collect();
            assert_eq!(names, ["tasks", "outer::inner", "outer", "outer::inner", ""]);
        }
    }
}

#[bunbase::main(worker_threads = 2)]
async fn main() -> Result<(), bunbase::registry::Mistakes> {
    tasks::check();
    outer::inner::check();
    let registry = bunbase::registry::Registry::collect(bunbase::modules![crate::tasks])?;
    let mut names: Vec<_> = registry.actions().iter().map(|action| (action.name, action.routes[0].path.as_str())).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            ("tasks.csv", "/projects/{project_id}/tasks/{id}/csv"),
            ("tasks.list_tasks", "/projects/{project_id}/tasks/{id}"),
            ("tasks.replace", "/projects/{project_id}/tasks/{id}"),
            ("tasks.update", "/projects/{project_id}/tasks/{id}"),
        ]
    );
    assert_eq!(registry.actions()[0].module_guards.len(), 2);
    Ok(())
}
