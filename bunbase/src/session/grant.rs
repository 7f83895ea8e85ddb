//! What a session is to say.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::Result;

/// Who is to be signed in, and what they may do.
///
/// ```
/// # use bunbase::session::Grant;
/// # #[derive(serde::Serialize)] struct Seat { desk: u32 }
/// # fn main() -> bunbase::Result<()> {
/// let grant = Grant::user(7).role("editor").permission("tasks:*").organisation("acme").claims(&Seat { desk: 3 })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is handed to `ctx.session().sign_in(…)`"]
pub struct Grant {
    pub(crate) user: String,
    pub(crate) organisation: Option<String>,
    pub(crate) roles: Vec<String>,
    pub(crate) permissions: Vec<String>,
    pub(crate) claims: Option<Box<RawValue>>,
    /// The tenant whose user it is: that of the run that signs in.
    pub(crate) tenant: Option<String>,
}

impl Grant {
    /// A person by the application's own id of them.
    #[expect(clippy::needless_pass_by_value, reason = "an id is a number or a text, and stands here as it is")]
    pub fn user(id: impl ToString) -> Self {
        Self {
            user: id.to_string(),
            organisation: None,
            roles: Vec::new(),
            permissions: Vec::new(),
            claims: None,
            tenant: None,
        }
    }

    /// Adds a role, which [`has_role`](crate::guard::has_role) asks for.
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.roles.push(role.into());
        self
    }

    /// Adds roles.
    pub fn roles<R: Into<String>>(mut self, roles: impl IntoIterator<Item = R>) -> Self {
        self.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Adds a permission such as `tasks:write`, or `tasks:*` for all that begin so; [`has_permission`](crate::guard::has_permission)
    /// asks for it.
    pub fn permission(mut self, permission: impl Into<String>) -> Self {
        self.permissions.push(permission.into());
        self
    }

    /// Adds permissions.
    pub fn permissions<P: Into<String>>(mut self, permissions: impl IntoIterator<Item = P>) -> Self {
        self.permissions.extend(permissions.into_iter().map(Into::into));
        self
    }

    /// Says for which organisation the person acts.
    pub fn organisation(mut self, organisation: impl Into<String>) -> Self {
        self.organisation = Some(organisation.into());
        self
    }

    /// Adds the application's own claims. The holder of the token can read them, and a cookie has room for about 3 kB in all.
    ///
    /// # Errors
    /// 500 when they cannot be written as JSON.
    pub fn claims(mut self, claims: &impl Serialize) -> Result<Self> {
        self.claims = Some(serde_json::value::to_raw_value(claims)?);
        Ok(self)
    }
}
