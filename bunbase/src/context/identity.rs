//! Who causes a run.

use std::{str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{session::Claims, tenant::TenantId};

/// Who causes a run. A guard establishes it; jobs, events and calls carry it on, and guards behind those doors find it here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Identity {
    /// Nobody that is known. The default.
    #[default]
    Anonymous,
    /// The application itself: a schedule, or the command line.
    System,
    /// A machine, known by its API key.
    Service {
        /// Who holds the key.
        name: String,
    },
    /// A person.
    User {
        /// The application's own id of the person.
        id: String,
        /// The roles.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        roles: Vec<String>,
        /// The permissions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        permissions: Vec<String>,
        /// The organisation that the person acts for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        organisation: Option<String>,
    },
}

impl Identity {
    /// A machine.
    pub fn service(name: impl Into<String>) -> Self {
        Self::Service { name: name.into() }
    }

    /// A person, without roles.
    pub fn user(id: impl Into<String>) -> Self {
        Self::User { id: id.into(), roles: Vec::new(), permissions: Vec::new(), organisation: None }
    }

    /// Returns a text that tells it from all others: the scope of its idempotency keys.
    pub fn scope(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::System => "system".to_owned(),
            Self::Service { name } => format!("service:{name}"),
            Self::User { id, organisation: None, .. } => format!("user:{id}"),
            Self::User { id, organisation: Some(organisation), .. } => format!("user:{id}@{organisation}"),
        }
    }
}

/// Who causes a run, as its context keeps it: whoever is signed in is not copied before somebody asks.
#[derive(Debug)]
pub(crate) enum Who {
    Known(Identity),
    SignedIn(Arc<Claims>),
}

impl Who {
    pub(super) fn identity(&self) -> Identity {
        match self {
            Self::Known(identity) => identity.clone(),
            Self::SignedIn(claims) => Identity::of(claims),
        }
    }
}

/// Who caused something that is stored, and for which tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Caused {
    #[serde(flatten)]
    pub(crate) identity: Identity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<TenantId>,
}

/// A text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nobody; write `service:NAME`, `user:ID` or `system`")]
pub struct UnknownIdentity(String);

impl FromStr for Identity {
    type Err = UnknownIdentity;

    /// Reads `service:NAME`, `user:ID` or `system`, as an operator writes it on the command line. Whatever follows the colon is the name.
    ///
    /// ```
    /// # use bunbase::context::Identity;
    /// assert_eq!("service:ci".parse(), Ok(Identity::service("ci")));
    /// assert_eq!("user:ann@example.com".parse(), Ok(Identity::user("ann@example.com")));
    /// assert!("ann".parse::<Identity>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, UnknownIdentity> {
        match text.split_once(':') {
            None if text == "system" => Ok(Self::System),
            Some(("service", name)) if !name.is_empty() => Ok(Self::service(name)),
            Some(("user", id)) if !id.is_empty() => Ok(Self::user(id)),
            _ => Err(UnknownIdentity(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_identity_survives_being_stored() {
        for identity in [Identity::Anonymous, Identity::System, Identity::service("ci"), Identity::user("7")] {
            let text = serde_json::to_string(&identity).unwrap();
            assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), identity, "{text}");
        }
        assert_eq!(serde_json::to_string(&Identity::user("7")).unwrap(), r#"{"kind":"user","id":"7"}"#);
    }

    proptest! {
        #[test]
        fn what_it_prints_parses_back(name in ".+") {
            for identity in [Identity::service(name.clone()), Identity::user(name.clone())] {
                prop_assert_eq!(identity.scope().parse(), Ok(identity));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = text.parse::<Identity>();
        }
    }
}
