//! Permissions.

use super::{
    Guard, Security, SignedIn,
    refusal::{ENDED, EXPIRED, INVALID, MISSING, Refusal, Refuses},
    signed_in::security,
};
use crate::{
    Result,
    action::ErrorVariant,
    context::Ctx,
    error::{Retry, code},
};

/// Refuses whoever does not have a permission. Made by [`has_permission`].
#[derive(Clone, Copy, Debug)]
pub struct HasPermission(&'static str);

/// Refuses whoever is not signed in with a permission: `guards = [has_permission("tasks:write")]`.
///
/// A permission is words between colons. What was granted may have `*` for a word: in the end for all that follow, at least one, and
/// otherwise for exactly one. So `tasks:*` covers `tasks:write` and `tasks:write:own` and not `tasks`; `*:read` covers `tasks:read`;
/// `*` covers everything.
pub fn has_permission(permission: &'static str) -> HasPermission {
    HasPermission(permission)
}

/// Returns whether what was granted covers a permission.
pub(super) fn covers(granted: &str, permission: &str) -> bool {
    let mut asked = permission.split(':');
    let mut words = granted.split(':').peekable();
    while let Some(word) = words.next() {
        let Some(one) = asked.next() else { return false };
        if word == "*" && words.peek().is_none() {
            return true;
        }
        if word != "*" && word != one {
            return false;
        }
    }
    asked.next().is_none()
}

const REFUSED: ErrorVariant = ErrorVariant {
    status: 403,
    code: code::PERMISSION_MISSING,
    message: "this needs the permission `{permission}`",
    docs: "Whoever is signed in does not have the permission that this needs.",
    retry: Retry::Never,
};

/// How [`HasPermission`] refuses.
#[derive(Clone, Copy, Debug)]
pub enum NoPermission {}

impl Refuses for NoPermission {
    const VARIANTS: &'static [ErrorVariant] = &[MISSING, INVALID, EXPIRED, ENDED, REFUSED];
}

impl Guard for HasPermission {
    type Error = Refusal<NoPermission>;

    const NEEDS_CALLER: bool = true;

    async fn check(&self, ctx: &Ctx) -> Result<(), Self::Error> {
        if ctx.provide::<SignedIn>().await?.has_permission(self.0) {
            return Ok(());
        }
        Err(Refusal::by(&REFUSED, format!("this needs the permission `{}`", self.0)))
    }

    fn name(&self) -> String {
        format!("has_permission {}", self.0)
    }

    fn security(&self) -> Vec<Security> {
        security()
    }

    fn mistake(&self) -> Option<String> {
        let is_fine = |word: &str| !word.trim().is_empty() && word != "*";
        (!self.0.split(':').all(is_fine))
            .then(|| format!("`has_permission` needs words between colons and no `*`, not `{}`", self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_words_and_nothing_else_for_another() {
        for (granted, permission, expected) in [
            ("tasks:write", "tasks:write", true),
            ("tasks:write", "tasks:read", false),
            ("tasks:*", "tasks:write", true),
            ("tasks:*", "tasks:write:own", true),
            ("tasks:*", "tasks", false),
            ("tasks:*", "tasksx:write", false),
            ("tasks", "tasks:write", false),
            ("tasks:write:own", "tasks:write", false),
            ("*", "anything:at:all", true),
            ("*:read", "tasks:read", true),
            ("*:read", "tasks:write", false),
            ("*:read", "tasks:read:own", false),
            ("tasks:w*", "tasks:write", false),
            ("", "tasks", false),
        ] {
            assert_eq!(covers(granted, permission), expected, "{granted} {permission}");
        }
    }

    proptest! {
        #[test]
        fn what_is_granted_letter_for_letter_is_covered(permission in "[a-z]{1,5}(:[a-z]{1,5}){0,3}") {
            prop_assert!(covers(&permission, &permission));
            prop_assert!(covers("*", &permission));
        }

        #[test]
        fn no_text_makes_it_panic(granted: String, permission: String) {
            let _ = covers(&granted, &permission);
        }
    }
}
