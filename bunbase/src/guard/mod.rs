//! Checks that run before an action and may hand it something.
//!
//! Here: the [`Guard`] and [`Provider`] traits, what a guard tells the document, and the guards that come with the framework. A
//! guard sees the context: headers, query, path parameters. It never sees the body, which is not read before it passes.

mod across_tenants;
mod api_key;
mod combine;
mod permission;
mod rate_limit;
mod refusal;
mod role;
mod signed_in;
mod step_up;

use std::{future::Future, pin::Pin};

pub(crate) use self::{across_tenants::NAME as ACROSS_TENANTS, combine::asked};
pub use self::{
    across_tenants::{AcrossTenants, across_tenants},
    api_key::{ApiKey, ApiKeyError, ApiKeys, RequireApiKey, api_key},
    combine::{All, Any, Guards, all, any},
    permission::{HasPermission, has_permission},
    rate_limit::{DAY, HOUR, MINUTE, Quota, RateLimit, RateLimited, SECOND, rate_limit},
    refusal::{Refusal, Refuses},
    role::{HasRole, has_role},
    signed_in::{RequireSignedIn, SignedIn, signed_in},
    step_up::{StepUp, step_up},
};

use crate::{
    Result,
    action::{ActionError, ErrorVariant, HeaderDoc},
    context::Ctx,
};

/// A check that lets a run go on or refuses it.
///
/// ```
/// use bunbase::{Error, context::Ctx, guard::Guard};
///
/// /// Opens on weekdays only.
/// struct Weekdays;
///
/// impl Guard for Weekdays {
///     type Error = Error;
///
///     async fn check(&self, _ctx: &Ctx) -> Result<(), Error> {
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a guard",
    label = "cannot stand in `guards = […]`",
    note = "implement `Guard` for it; a type that implements `Provider` is a parameter of the function instead: `#[guard] user: User`"
)]
pub trait Guard: Send + Sync + 'static {
    /// How it refuses. Its variants join the documented answers of every action that it guards.
    type Error: ActionError;

    /// Whether it refuses every run that nobody called. An action with a schedule cannot have such a guard.
    const NEEDS_CALLER: bool = false;

    /// Lets the run go on, or refuses it.
    fn check(&self, ctx: &Ctx) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Returns the name for listings; the type's name unless said.
    fn name(&self) -> String {
        short_name::<Self>()
    }

    /// Returns the credentials that it asks for: any one of them.
    fn security(&self) -> Vec<Security> {
        Vec::new()
    }

    /// Returns whether it lets everybody through alike, as a limit does. What others have let through is for those who passed, and no
    /// cache between client and server may show it to anybody else.
    fn admits_everybody(&self) -> bool {
        false
    }

    /// Returns whether it is asked about the delivery of a webhook as that arrives, signed as it must be and not yet stored: then
    /// [`Ctx::job`] is `None`. Other guards are asked once, when the job of the delivery runs.
    fn counts_deliveries(&self) -> bool {
        false
    }

    /// Returns the headers that it adds to answers, by [`Ctx::answer_with`].
    fn headers(&self) -> Vec<HeaderDoc> {
        Vec::new()
    }

    /// Returns what is wrong with how it was made: start-up shows that, and stops.
    fn mistake(&self) -> Option<String> {
        None
    }

    /// Describes it for listings and the document; what the others say, unless it is made of several.
    fn describe(&self) -> GuardDoc {
        GuardDoc {
            errors: Self::Error::VARIANTS.to_vec(),
            open_errors: Self::Error::OPEN,
            hidden_errors: Self::Error::HIDES,
            security: alternatives(self.security()),
            needs_caller: Self::NEEDS_CALLER,
            admits_everybody: self.admits_everybody(),
            counts_deliveries: self.counts_deliveries(),
            headers: self.headers(),
            mistake: self.mistake(),
            ..GuardDoc::new(self.name())
        }
    }
}

/// A value that a guard hands to a parameter: `#[guard] user: SignedIn`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a `#[guard]` parameter",
    label = "no guard provides this",
    note = "implement `Provider` for it, or take it from the context inside the function"
)]
pub trait Provider: Clone + Send + Sync + 'static {
    /// How it refuses. Its variants join the documented answers.
    type Error: ActionError;

    /// Whether it refuses every run that nobody called. An action with a schedule cannot have such a parameter, but an `Option` of it.
    const NEEDS_CALLER: bool = false;

    /// Makes the value, or refuses the run. Called once per run, however many guards ask for it.
    fn provide(ctx: &Ctx) -> impl Future<Output = Result<Self, Self::Error>> + Send;

    /// Returns the name for listings; the type's name unless said.
    fn name() -> String {
        short_name::<Self>()
    }

    /// Returns the credentials that it asks for: any one of them.
    fn security() -> Vec<Security> {
        Vec::new()
    }

    /// Describes it for listings and the document; what the others say, unless it is made of another.
    fn describe() -> GuardDoc {
        GuardDoc {
            errors: Self::Error::VARIANTS.to_vec(),
            open_errors: Self::Error::OPEN,
            hidden_errors: Self::Error::HIDES,
            security: alternatives(Self::security()),
            needs_caller: Self::NEEDS_CALLER,
            ..GuardDoc::new(Self::name())
        }
    }
}

impl<P: Provider> Provider for Option<P> {
    type Error = crate::Error;

    /// Nobody where the provider answers 401; its other refusals stand.
    async fn provide(ctx: &Ctx) -> Result<Self> {
        match ctx.provide::<P>().await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.status() == 401 => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn name() -> String {
        format!("optional {}", P::name())
    }

    fn describe() -> GuardDoc {
        let mut doc = P::describe();
        // These it swallows.
        doc.errors.retain(|variant| variant.status != 401);
        if !doc.security.is_empty() {
            doc.security.push(Vec::new());
        }
        GuardDoc { name: Self::name(), needs_caller: false, ..doc }
    }
}

/// What a guard tells listings and the document.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GuardDoc {
    /// Its name.
    pub name: String,
    /// How it refuses.
    pub errors: Vec<ErrorVariant>,
    /// Whether it also refuses in ways that `errors` does not list.
    pub open_errors: bool,
    /// Whether it also fails for causes that it does not tell.
    pub hidden_errors: bool,
    /// The credentials that it asks for: alternatives, each of credentials that go together. An alternative without any lets callers pass
    /// that show none; no alternative at all asks for nothing.
    pub security: Vec<Vec<Security>>,
    /// Whether it refuses every run that nobody called.
    pub needs_caller: bool,
    /// Whether it lets everybody through alike.
    pub admits_everybody: bool,
    /// Whether it is asked about deliveries of webhooks as they arrive.
    pub counts_deliveries: bool,
    /// Whether one of those that it is made of is.
    pub(crate) has_counting: bool,
    /// The headers that it adds to answers.
    pub headers: Vec<HeaderDoc>,
    /// What is wrong with how it was made.
    pub mistake: Option<String>,
}

impl GuardDoc {
    /// Begins with a name, and nothing that it does.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Returns whether it has a limit among other guards, which is not asked about deliveries.
    pub(crate) fn counts_nothing_of_deliveries(&self) -> bool {
        self.has_counting && !self.counts_deliveries
    }

    /// Returns every credential that it may ask for.
    pub fn credentials(&self) -> impl Iterator<Item = &Security> {
        self.security.iter().flatten()
    }
}

/// Returns credentials of which any one is enough as alternatives.
fn alternatives(credentials: Vec<Security>) -> Vec<Vec<Security>> {
    credentials.into_iter().map(|one| vec![one]).collect()
}

/// A credential that a guard asks for: a security scheme of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// The name of the scheme in the document, such as `api_key`.
    pub scheme: &'static str,
    /// What a reader of the document should know.
    pub description: &'static str,
    /// Where the credential is.
    pub credential: Credential,
}

/// Where a credential is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// A header of this name.
    Header(&'static str),
    /// A cookie of this name.
    Cookie(&'static str),
    /// `Authorization: Bearer …`
    Bearer,
    /// The cookie of a session, whatever the configuration calls it.
    Session,
}

/// A [`Guard`] behind a pointer, as the registry keeps it.
pub trait DynGuard: Send + Sync + 'static {
    /// See [`Guard::check`].
    fn check<'a>(&'a self, ctx: &'a Ctx) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    /// See [`Guard::counts_deliveries`].
    fn counts_deliveries(&self) -> bool;

    /// Describes the guard.
    fn describe(&self) -> GuardDoc;
}

impl<G: Guard> DynGuard for G {
    fn check<'a>(&'a self, ctx: &'a Ctx) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
        Box::pin(async move { Guard::check(self, ctx).await.map_err(Into::into) })
    }

    fn counts_deliveries(&self) -> bool {
        Guard::counts_deliveries(self)
    }

    fn describe(&self) -> GuardDoc {
        Guard::describe(self)
    }
}

impl std::fmt::Debug for dyn DynGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe().name)
    }
}

fn short_name<T: ?Sized>() -> String {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name).to_owned()
}
