//! The credentials that guards ask for.

use std::collections::BTreeSet;

use okapi::{
    Map,
    openapi3::{RefOr, SecurityRequirement, SecurityScheme, SecuritySchemeData},
};

use crate::guard::{Credential, GuardDoc, Security};

/// The security schemes met so far, each under its name in the document.
#[derive(Debug, Default)]
pub(super) struct Schemes(Vec<(String, Security)>);

impl Schemes {
    /// Returns what an operation behind these guards requires; `None` for nothing.
    ///
    /// All credentials that are not optional go together; each optional one may be there or not.
    pub(super) fn requirements(&mut self, guards: &[GuardDoc]) -> Option<Vec<SecurityRequirement>> {
        let mut needed = BTreeSet::new();
        let mut optional = BTreeSet::new();
        for security in guards.iter().filter_map(|guard| guard.security.as_ref()) {
            let name = self.name(security);
            if security.optional {
                optional.insert(name)
            } else {
                needed.insert(name)
            };
        }
        let mut alternatives = vec![needed.clone()];
        for name in optional.difference(&needed) {
            let with = alternatives.iter().map(|names| names | &BTreeSet::from([name.clone()])).collect::<Vec<_>>();
            alternatives.splice(0..0, with);
        }
        if alternatives.iter().all(BTreeSet::is_empty) {
            return None;
        }
        let requirement = |names: BTreeSet<String>| names.into_iter().map(|name| (name, Vec::new())).collect();
        Some(alternatives.into_iter().map(requirement).collect())
    }

    /// Returns the name of a scheme. Two credentials that claim one name get two.
    fn name(&mut self, security: &Security) -> String {
        let same = |known: &Security| known.scheme == security.scheme && known.credential == security.credential;
        if let Some((name, _)) = self.0.iter().find(|(_, known)| same(known)) {
            return name.clone();
        }
        let claims = self.0.iter().filter(|(_, known)| known.scheme == security.scheme).count();
        let name = if claims == 0 { security.scheme.to_owned() } else { format!("{}_{}", security.scheme, claims + 1) };
        self.0.push((name.clone(), security.clone()));
        name
    }

    /// Returns the components.
    pub(super) fn into_components(self) -> Map<String, RefOr<SecurityScheme>> {
        let component = |security: Security| {
            let key = |name: &str, location: &str| SecuritySchemeData::ApiKey {
                name: name.to_owned(),
                location: location.to_owned(),
            };
            let data = match security.credential {
                Credential::Header(name) => key(name, "header"),
                Credential::Cookie(name) => key(name, "cookie"),
                Credential::Bearer => SecuritySchemeData::Http { scheme: "bearer".to_owned(), bearer_format: None },
            };
            let description = (!security.description.is_empty()).then(|| security.description.to_owned());
            RefOr::Object(SecurityScheme { description, data, extensions: Map::default() })
        };
        self.0.into_iter().map(|(name, security)| (name, component(security))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(scheme: &'static str, credential: Credential, optional: bool) -> GuardDoc {
        let security = Some(Security { scheme, description: "", credential, optional });
        GuardDoc {
            name: scheme.to_owned(),
            errors: &[],
            open_errors: false,
            hidden_errors: false,
            security,
            needs_caller: false,
            admits_everybody: false,
            headers: Vec::new(),
            mistake: None,
        }
    }

    fn names(requirements: &[SecurityRequirement]) -> Vec<Vec<&str>> {
        requirements.iter().map(|one| one.keys().map(String::as_str).collect()).collect()
    }

    #[test]
    fn an_optional_credential_is_an_alternative() {
        let mut schemes = Schemes::default();
        let maybe = guard("session", Credential::Cookie("sid"), true);
        let key = guard("key", Credential::Header("X-Key"), false);
        assert_eq!(names(&schemes.requirements(std::slice::from_ref(&maybe)).unwrap()), [vec!["session"], vec![]]);
        assert_eq!(names(&schemes.requirements(&[key, maybe]).unwrap()), [vec!["key", "session"], vec!["key"]]);
        assert_eq!(schemes.requirements(&[]), None);
    }

    #[test]
    fn two_credentials_of_one_name_stay_apart() {
        let mut schemes = Schemes::default();
        let guards = [guard("key", Credential::Header("X-Key"), false), guard("key", Credential::Bearer, false)];
        assert_eq!(names(&schemes.requirements(&guards).unwrap()), [vec!["key", "key_2"]]);
        assert_eq!(names(&schemes.requirements(&guards).unwrap()), [vec!["key", "key_2"]]);
        assert_eq!(schemes.into_components().len(), 2);
    }
}
