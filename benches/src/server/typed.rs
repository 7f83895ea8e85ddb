//! Typed input and output without I/O: `action-get`, `action-post`, `auth-post`, `large-payload` and `upload`.

use bunbase::prelude::*;

/// An item, as it was asked for.
#[schema]
pub(crate) struct Item {
    /// Its number.
    id: i64,
    /// Whose it is.
    tenant: Option<String>,
    /// How many there may be.
    limit: u32,
    /// What to look for.
    q: Option<String>,
}

/// Finds an item.
#[action(get = "/items/{id}")]
async fn find_item(
    id: i64,
    #[default(20)]
    #[validate(range(min = 1, max = 100))]
    limit: u32,
    #[validate(length(max = 100))] q: Option<String>,
    #[header("X-Tenant")] tenant: Option<String>,
) -> Result<Item> {
    Ok(Item { id, tenant, limit, q })
}

/// A task that is to be made.
#[schema(rename_all = "camelCase")]
pub(crate) struct Draft {
    /// What is to be done.
    #[validate(length(min = 1, max = 200))]
    title: String,
    /// What there is to say about it.
    #[validate(length(max = 2000))]
    description: Option<String>,
    /// How urgent it is, 5 the most.
    #[validate(range(min = 1, max = 5))]
    priority: u8,
    /// Words to find it by.
    #[validate(length(max = 10))]
    tags: Vec<String>,
    /// Who is to do it.
    assignee_id: Uuid,
}

/// A task.
#[schema(rename_all = "camelCase")]
pub(crate) struct Made {
    id: Uuid,
    title: String,
    description: Option<String>,
    priority: u8,
    tags: Vec<String>,
    assignee_id: Uuid,
    status: String,
    created_at: DateTimeUtc,
}

impl From<Draft> for Made {
    fn from(draft: Draft) -> Self {
        let Draft { title, description, priority, tags, assignee_id } = draft;
        Self {
            // The same for all, so that answers can be compared.
            id: Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0001),
            title,
            description,
            priority,
            tags,
            assignee_id,
            status: "open".to_owned(),
            created_at: DateTimeUtc::from_timestamp_nanos(1_790_000_000_000_000_000),
        }
    }
}

/// Makes a task.
#[action(post = "/tasks")]
async fn make_task(#[input] draft: Draft) -> Result<Made> {
    Ok(draft.into())
}

/// Makes a task for whoever is signed in.
#[action(post = "/signed/tasks")]
async fn make_signed_task(#[guard] user: SignedIn, #[input] draft: Draft) -> Result<Made> {
    let _ = user;
    Ok(draft.into())
}

/// Signs anybody in, for the cookie.
#[action(post = "/signed/in")]
async fn sign_anybody_in(ctx: Ctx) -> Result<bool> {
    ctx.session().sign_in(Grant::user(7).role("editor")).await?;
    Ok(true)
}

/// One of many.
#[schema]
pub(crate) struct Line {
    id: i64,
    name: String,
    amount_cents: i64,
    tags: Vec<String>,
}

/// Many lines.
#[schema]
pub(crate) struct Sheet {
    lines: Vec<Line>,
}

/// Takes a large document, and gives it back.
#[action(post = "/large")]
async fn echo_sheet(#[input] sheet: Sheet) -> Result<Sheet> {
    Ok(sheet)
}

/// How much came.
#[schema]
pub(crate) struct Uploaded {
    size_bytes: u64,
}

/// Takes a file.
#[action(post = "/upload")]
async fn take_upload(#[file] file: Upload) -> Result<Uploaded> {
    Ok(Uploaded { size_bytes: file.bytes().await?.len().try_into().unwrap_or(u64::MAX) })
}
