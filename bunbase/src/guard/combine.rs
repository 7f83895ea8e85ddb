//! Guards that are made of others.

use super::{DynGuard, Guard, GuardDoc, Security};
use crate::{Error, Result, context::Ctx};

/// Several guards in their order: a tuple of two to eight.
pub trait Guards {
    /// Puts them behind pointers.
    fn into_guards(self) -> Vec<Box<dyn DynGuard>>;
}

macro_rules! guards {
    ($($($name:ident)+;)+) => {
        $(
            impl<$($name: Guard),+> Guards for ($($name,)+) {
                #[expect(non_snake_case, reason = "the names are those of the types")]
                fn into_guards(self) -> Vec<Box<dyn DynGuard>> {
                    let ($($name,)+) = self;
                    vec![$(Box::new($name)),+]
                }
            }
        )+
    };
}

guards! {
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

/// Lets through whoever one of several guards lets through. Made by [`any`].
#[derive(Debug)]
pub struct Any(Vec<Box<dyn DynGuard>>);

/// Lets through whoever all of several guards let through. Made by [`all`].
#[derive(Debug)]
pub struct All(Vec<Box<dyn DynGuard>>);

/// Lets through whoever one of these guards lets through: they are asked in their order until one does.
///
/// Where none does, the refusal of the one that came closest is answered: a failure, so that nobody takes it for a refusal, before 403 before
/// 401, and of two alike the first. Headers that guards add stay, whichever lets the run through.
///
/// ```
/// use bunbase::prelude::*;
///
/// /// Reads a report: for administrators, and for machines.
/// #[action(get = "/report", guards = [any((has_role("admin"), api_key()))])]
/// async fn report() -> Result<String> {
///     Ok("all is well".to_owned())
/// }
/// ```
pub fn any(guards: impl Guards) -> Any {
    Any(guards.into_guards())
}

/// Lets through whoever all of these guards let through, asked in their order: one alternative of [`any`].
pub fn all(guards: impl Guards) -> All {
    All(guards.into_guards())
}

/// Returns how close to letting through a refusal was.
fn rank(error: &Error) -> u8 {
    match error.status() {
        500.. => 3,
        401 => 0,
        403 => 1,
        _ => 2,
    }
}

impl Guard for Any {
    type Error = Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        let mut closest: Option<Error> = None;
        for guard in &self.0 {
            let Err(error) = guard.check(ctx).await else { return Ok(()) };
            if closest.as_ref().is_none_or(|known| rank(&error) > rank(known)) {
                closest = Some(error);
            }
        }
        closest.map_or(Ok(()), Err)
    }

    fn name(&self) -> String {
        joined("any", &self.0)
    }

    fn describe(&self) -> GuardDoc {
        let docs: Vec<_> = self.0.iter().map(|guard| guard.describe()).collect();
        GuardDoc {
            // One that asks for nothing makes the others' credentials optional.
            security: docs.iter().flat_map(|doc| either(&doc.security)).collect(),
            needs_caller: docs.iter().all(|doc| doc.needs_caller),
            admits_everybody: docs.iter().any(|doc| doc.admits_everybody),
            ..together(&docs, self.name())
        }
    }
}

impl Guard for All {
    type Error = Error;

    async fn check(&self, ctx: &Ctx) -> Result<()> {
        for guard in &self.0 {
            guard.check(ctx).await?;
        }
        Ok(())
    }

    fn counts_deliveries(&self) -> bool {
        self.0.iter().all(|guard| guard.counts_deliveries())
    }

    fn name(&self) -> String {
        joined("all", &self.0)
    }

    fn describe(&self) -> GuardDoc {
        let docs: Vec<_> = self.0.iter().map(|guard| guard.describe()).collect();
        let security = asked(&docs);
        GuardDoc {
            security,
            needs_caller: docs.iter().any(|doc| doc.needs_caller),
            counts_deliveries: Guard::counts_deliveries(self),
            admits_everybody: docs.iter().all(|doc| doc.admits_everybody),
            ..together(&docs, self.name())
        }
    }
}

/// Returns alternatives, of which that of nothing is one where there is none.
fn either(security: &[Vec<Security>]) -> impl Iterator<Item = Vec<Security>> {
    security.iter().cloned().chain(security.is_empty().then(Vec::new))
}

/// Returns what several guards ask for together: each with each of its alternatives. Guards that ask for the same are one, and where one of them
/// lets nobody pass without, none does.
pub(crate) fn asked(docs: &[GuardDoc]) -> Vec<Vec<Security>> {
    let is_in = |all: &[Vec<Security>], one: &Vec<Security>| {
        all.iter().any(|known| known.len() == one.len() && known.iter().all(|security| one.contains(security)))
    };
    let mut different: Vec<(Vec<Vec<Security>>, bool)> = Vec::new();
    for doc in docs.iter().filter(|doc| !doc.security.is_empty()) {
        let (with, without): (Vec<_>, Vec<_>) = doc.security.iter().cloned().partition(|one| !one.is_empty());
        let is_optional = !without.is_empty();
        let same = |known: &[Vec<Security>]| known.len() == with.len() && with.iter().all(|one| is_in(known, one));
        if let Some((_, known)) = different.iter_mut().find(|(known, _)| same(known)) {
            *known &= is_optional;
        } else {
            different.push((with, is_optional));
        }
    }
    let mut combined = vec![Vec::new()];
    for (with, is_optional) in different {
        let more = |known: &Vec<Security>| with.iter().map(|one| merged(known, one)).collect::<Vec<_>>();
        let mut next: Vec<Vec<Security>> = combined.iter().flat_map(more).collect();
        if is_optional {
            next.extend(combined);
        }
        combined = Vec::new();
        for one in next {
            if !is_in(&combined, &one) {
                combined.push(one);
            }
        }
    }
    if combined.iter().all(Vec::is_empty) { Vec::new() } else { combined }
}

fn merged(known: &[Security], more: &[Security]) -> Vec<Security> {
    let mut all = known.to_vec();
    all.extend(more.iter().filter(|one| !known.contains(one)).cloned());
    all
}

fn together(docs: &[GuardDoc], name: String) -> GuardDoc {
    GuardDoc {
        errors: docs.iter().flat_map(|doc| doc.errors.iter().copied()).collect(),
        open_errors: docs.iter().any(|doc| doc.open_errors),
        hidden_errors: docs.iter().any(|doc| doc.hidden_errors),
        has_counting: docs.iter().any(|doc| doc.counts_deliveries || doc.has_counting),
        headers: docs.iter().flat_map(|doc| doc.headers.iter().cloned()).collect(),
        mistake: docs.iter().find_map(|doc| doc.mistake.clone()),
        ..GuardDoc::new(name)
    }
}

fn joined(word: &str, guards: &[Box<dyn DynGuard>]) -> String {
    let names: Vec<_> = guards.iter().map(|guard| guard.describe().name).collect();
    format!("{word}({})", names.join(", "))
}
