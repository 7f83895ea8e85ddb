//! Limits on how often a caller may come.

use std::{fmt, sync::Arc, time::Duration};

use schemars::schema::{InstanceType, NumberValidation, Schema as Node, SchemaObject};

use super::Guard;
use crate::{
    Error,
    action::{ActionError, Door, ErrorVariant, HeaderDoc},
    context::{Ctx, Identity, Network},
    error::{ErrorClass, Retry, code},
    limit::{Algorithm, Rule, Taken},
};

/// One second, for `rate_limit(…).per(SECOND)`.
pub const SECOND: Duration = Duration::from_secs(1);
/// One minute.
pub const MINUTE: Duration = Duration::from_mins(1);
/// One hour.
pub const HOUR: Duration = Duration::from_hours(1);
/// One day.
pub const DAY: Duration = Duration::from_hours(24);

/// Begins a limit: `rate_limit(100).per(MINUTE).by_ip()` in `guards = […]` of an action or a module.
///
/// It counts each action apart, unless it is [shared](RateLimit::shared), and what comes from outside: requests, tools, and deliveries of
/// webhooks, as they arrive and once their signature is found to be right. Jobs, events, schedules and calls between actions pass. Every answer carries `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset` and
/// `RateLimit-Policy`; one that is refused is 429 `rate_limited` with `Retry-After`.
///
/// Where calls are counted, and so for how many instances a limit is one, says `rate_limit.backend`.
///
/// ```
/// use bunbase::prelude::*;
///
/// /// Makes an offer.
/// #[action(post = "/offers", guards = [rate_limit(50).per(MINUTE).by_ip()])]
/// async fn offer(sku: String) -> Result<String> {
///     Ok(format!("an offer for {sku}"))
/// }
///
/// /// Searches; a few at once are fine, and ten a second on average.
/// #[action(get = "/search", guards = [rate_limit(10).per(SECOND).burst(30).by_user()])]
/// async fn search(text: String) -> Result<Vec<String>> {
///     Ok(vec![text])
/// }
/// ```
pub fn rate_limit(limit: u32) -> Quota {
    Quota(limit)
}

/// So many calls, in a time that [`per`](Self::per) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "say the time: `.per(MINUTE)`"]
pub struct Quota(u32);

impl Quota {
    /// Says in which time: 100 ms to 366 days.
    ///
    /// The limit is for all callers together until [`by_ip`](RateLimit::by_ip), [`by_user`](RateLimit::by_user) or
    /// [`by_key`](RateLimit::by_key) says otherwise, and a sliding window until [`burst`](RateLimit::burst) does.
    pub fn per(self, period: Duration) -> RateLimit {
        RateLimit { limit: self.0, period, burst: None, shared: None, by: By::All }
    }
}

/// Refuses who comes too often. Made by [`rate_limit`].
#[derive(Clone)]
#[must_use = "a limit does nothing outside of `guards = […]`"]
pub struct RateLimit {
    limit: u32,
    period: Duration,
    burst: Option<u32>,
    shared: Option<&'static str>,
    by: By,
}

type KeyOf = dyn Fn(&Ctx) -> Result<String, Error> + Send + Sync;

/// Who is counted.
#[derive(Clone)]
enum By {
    All,
    Ip,
    User,
    Key(Arc<KeyOf>),
}

impl RateLimit {
    /// Counts each client address apart, IPv6 by its network of 64 bits. Behind a proxy set `http.trusted_proxies`: otherwise all who come
    /// through it are one.
    pub fn by_ip(self) -> Self {
        Self { by: By::Ip, ..self }
    }

    /// Counts each user or service apart, whoever a guard before it has established, and anybody else by address.
    pub fn by_user(self) -> Self {
        Self { by: By::User, ..self }
    }

    /// Counts by what a function returns, such as a parameter of the path. Its error refuses the run.
    ///
    /// ```
    /// # use bunbase::{Result, guard::{rate_limit, MINUTE}};
    /// let limit = rate_limit(10).per(MINUTE).by_key(|ctx| Ok(ctx.path_param::<i64>("project_id")?.to_string()));
    /// ```
    pub fn by_key(self, key: impl Fn(&Ctx) -> Result<String, Error> + Send + Sync + 'static) -> Self {
        Self { by: By::Key(Arc::new(key)), ..self }
    }

    /// Counts all actions together that have a limit of this name, with the same numbers and by the same key.
    pub fn shared(self, name: &'static str) -> Self {
        Self { shared: Some(name), ..self }
    }

    /// Counts by a token bucket instead of a window: so many may come at once, and the rate is that of the limit.
    pub fn burst(self, capacity: u32) -> Self {
        Self { burst: Some(capacity), ..self }
    }

    /// Counts a call under a key of one's own: for limits by what is in the input, in the function of `check_input = …`. Unlike the guard it
    /// counts behind every door.
    ///
    /// ```
    /// # use bunbase::prelude::*;
    /// async fn not_too_often(ctx: &Ctx, input: &Invite) -> Result<()> {
    ///     Ok(rate_limit(3).per(DAY).shared("invitations").check(ctx, &input.email).await?)
    /// }
    ///
    /// /// Invites somebody, at most three times a day.
    /// #[action(post = "/invitations", check_input = not_too_often)]
    /// async fn invite(email: String) -> Result<()> {
    ///     let _ = email;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`RateLimited::Refused`], and the framework's where whoever counts is away or the numbers make no sense.
    pub async fn check(&self, ctx: &Ctx, key: &str) -> Result<(), RateLimited> {
        self.count(ctx, &format!("key:{key}")).await
    }

    fn rule(&self) -> Result<Rule, String> {
        let algorithm = self.burst.map_or(Algorithm::Window, |capacity| Algorithm::Bucket { capacity });
        Rule::new(self.limit, self.period, algorithm)
    }

    /// Returns who is counted; `None` for who is not.
    fn key(&self, ctx: &Ctx) -> Result<Option<String>, Error> {
        let arrives = match ctx.door() {
            Door::Http | Door::Tool => true,
            // The job of a delivery is not another one.
            Door::Webhook => ctx.job().is_none(),
            _ => false,
        };
        if !arrives {
            return Ok(None);
        }
        // A tool over standard input has no address: whoever calls it has the machine.
        let address = || ctx.request().map(|request| format!("ip:{}", Network(request.client_ip())));
        Ok(match &self.by {
            By::All => Some("all".to_owned()),
            By::Ip => address(),
            By::User => match ctx.identity() {
                Identity::User { .. } | Identity::Service { .. } => Some(format!("user:{}", ctx.identity().scope())),
                _ => address(),
            },
            By::Key(key) => Some(format!("key:{}", key(ctx)?)),
        })
    }

    async fn count(&self, ctx: &Ctx, key: &str) -> Result<(), RateLimited> {
        let rule = self.rule().map_err(|mistake| Error::internal(format!("`rate_limit` {mistake}")))?;
        let scope = match self.shared {
            Some(name) => format!("={name}"),
            None => ctx.action().to_owned(),
        };
        let limits = &ctx.inner().services().limits;
        let taken = limits.take(&format!("{scope}|{key}"), rule).await?;
        ctx.answer_with(|headers| tell(headers, rule, taken));
        if taken.is_allowed { Ok(()) } else { Err(RateLimited::Refused { after: taken.more_in }) }
    }
}

const LIMIT: &str = "ratelimit-limit";
const REMAINING: &str = "ratelimit-remaining";
const RESET: &str = "ratelimit-reset";
const POLICY: &str = "ratelimit-policy";

/// Tells the caller of a limit. Where there are several, the policies of all and the numbers of the one that is closest.
///
/// Source: draft-ietf-httpapi-ratelimit-headers-06, sections 3 and 4.
fn tell(headers: &mut Vec<(&'static str, String)>, rule: Rule, taken: Taken) {
    let is = |name: &'static str| move |(other, _): &&mut (&'static str, String)| *other == name;
    let policy = format!("{};w={}", rule.limit(), rule.period().as_secs_f64());
    match headers.iter_mut().find(is(POLICY)) {
        Some((_, policies)) => *policies = format!("{policies}, {policy}"),
        None => headers.push((POLICY, policy)),
    }
    let known: Option<u32> = headers.iter_mut().find(is(REMAINING)).and_then(|(_, left)| left.parse().ok());
    if known.is_some_and(|left| left <= taken.remaining && taken.is_allowed) {
        return;
    }
    headers.retain(|(name, _)| ![LIMIT, REMAINING, RESET].contains(name));
    headers.push((LIMIT, rule.limit().to_string()));
    headers.push((REMAINING, taken.remaining.to_string()));
    headers.push((RESET, whole_seconds(taken.more_in).to_string()));
}

/// Returns whole seconds, of which none is too few.
fn whole_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

impl Guard for RateLimit {
    type Error = RateLimited;

    async fn check(&self, ctx: &Ctx) -> Result<(), RateLimited> {
        match self.key(ctx)? {
            Some(key) => self.count(ctx, &key).await,
            None => Ok(()),
        }
    }

    fn name(&self) -> String {
        let by = match self.by {
            By::All => "",
            By::Ip => " by ip",
            By::User => " by user",
            By::Key(_) => " by key",
        };
        let burst = self.burst.map(|burst| format!(", {burst} at once")).unwrap_or_default();
        let shared = self.shared.map(|name| format!(", shared as {name}")).unwrap_or_default();
        format!("rate_limit {} per {:?}{by}{burst}{shared}", self.limit, self.period)
    }

    fn admits_everybody(&self) -> bool {
        true
    }

    fn counts_deliveries(&self) -> bool {
        true
    }

    fn mistake(&self) -> Option<String> {
        self.rule().err().map(|mistake| format!("`rate_limit` {mistake}"))
    }

    fn headers(&self) -> Vec<HeaderDoc> {
        let number = |name: &'static str, description: &'static str| HeaderDoc {
            name: name.into(),
            description: description.into(),
            required: false,
            schema: Node::Object(SchemaObject {
                instance_type: Some(InstanceType::Integer.into()),
                number: Some(Box::new(NumberValidation { minimum: Some(0.0), ..NumberValidation::default() })),
                ..SchemaObject::default()
            }),
        };
        let policy = HeaderDoc {
            schema: Node::Object(SchemaObject {
                instance_type: Some(InstanceType::String.into()),
                ..SchemaObject::default()
            }),
            ..number("RateLimit-Policy", "The limits: how many calls, and in how many seconds (`100;w=60`).")
        };
        vec![
            number("RateLimit-Limit", "How many calls there may be."),
            number("RateLimit-Remaining", "How many more there may be now."),
            number("RateLimit-Reset", "In how many seconds there may be more."),
            policy,
        ]
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Guard::name(self))
    }
}

/// A caller that comes too often.
#[derive(Debug)]
pub enum RateLimited {
    /// It may come again later.
    Refused {
        /// The least time until then.
        after: Duration,
    },
    /// The framework's own error: whoever counts is away.
    Framework(Error),
}

const REFUSED: ErrorVariant = ErrorVariant {
    status: 429,
    code: code::RATE_LIMITED,
    message: "too many calls; come again when the header `Retry-After` says",
    docs: "There were too many calls.",
    retry: Retry::ByStatus,
};

const AWAY: ErrorVariant = ErrorVariant {
    status: 503,
    code: code::REDIS_UNAVAILABLE,
    message: "Redis cannot be reached; try again",
    docs: "What counts the calls cannot be reached.",
    retry: Retry::After(Duration::from_secs(1)),
};

impl fmt::Display for RateLimited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { .. } => f.write_str(REFUSED.message),
            Self::Framework(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RateLimited {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused { .. } => None,
            Self::Framework(error) => error.source(),
        }
    }
}

impl From<Error> for RateLimited {
    fn from(error: Error) -> Self {
        Self::Framework(error)
    }
}

impl From<RateLimited> for Error {
    fn from(error: RateLimited) -> Self {
        match error {
            RateLimited::Refused { after } => {
                let after = Duration::from_secs(whole_seconds(after).max(1));
                Self::new(REFUSED.status, REFUSED.code, REFUSED.message).retry(Retry::After(after))
            }
            RateLimited::Framework(error) => error,
        }
    }
}

impl ActionError for RateLimited {
    const VARIANTS: &'static [ErrorVariant] = &[REFUSED, AWAY];

    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Refused { after } => ErrorClass { retry: Retry::After(*after), ..REFUSED.class() },
            Self::Framework(error) => error.class(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{DynGuard, all, any, api_key, signed_in};

    fn taken(remaining: u32, more_in_ms: u64) -> Taken {
        Taken { is_allowed: true, remaining, more_in: Duration::from_millis(more_in_ms) }
    }

    #[test]
    fn several_limits_tell_of_the_closest_one() {
        let rule = |limit, period| Rule::new(limit, period, Algorithm::Window).unwrap();
        let mut headers = Vec::new();
        tell(&mut headers, rule(100, MINUTE), taken(40, 2100));
        tell(&mut headers, rule(5, SECOND), taken(2, 1));
        tell(&mut headers, rule(1000, HOUR), taken(900, 60_000));
        headers.sort();
        let expected = [(LIMIT, "5"), (POLICY, "100;w=60, 5;w=1, 1000;w=3600"), (REMAINING, "2"), (RESET, "1")];
        assert_eq!(headers, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn a_limit_among_other_guards_counts_no_deliveries_and_is_known_not_to() {
        let limit = || rate_limit(1).per(DAY);
        let counts = |guard: &dyn DynGuard| {
            let doc = guard.describe();
            (doc.counts_deliveries, doc.counts_nothing_of_deliveries())
        };
        assert_eq!(counts(&limit()), (true, false));
        assert_eq!(counts(&all((limit(), limit()))), (true, false));
        assert_eq!(counts(&all((limit(), signed_in()))), (false, true));
        assert_eq!(counts(&any((all((limit(), signed_in())), api_key()))), (false, true));
        assert_eq!(counts(&signed_in()), (false, false));
    }

    #[test]
    fn a_limit_says_what_it_is_and_what_is_wrong_with_it() {
        let limit = rate_limit(10).per(SECOND).burst(30).by_user().shared("search");
        assert_eq!(Guard::name(&limit), "rate_limit 10 per 1s by user, 30 at once, shared as search");
        assert_eq!(limit.mistake(), None);
        assert!(rate_limit(0).per(MINUTE).mistake().unwrap().contains("at least 1"));
    }
}
