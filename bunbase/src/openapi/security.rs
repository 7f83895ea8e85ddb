//! The credentials that guards ask for.

use okapi::{
    Map,
    openapi3::{RefOr, SecurityRequirement, SecurityScheme, SecuritySchemeData},
};

use crate::guard::{self, Credential, GuardDoc, Security};

/// The security schemes met so far, each under its name in the document.
#[derive(Debug, Default)]
pub(super) struct Schemes(Vec<(String, Security)>);

impl Schemes {
    /// Returns what an operation behind these guards requires; `None` for nothing.
    ///
    /// What several guards ask for goes together, each with each of its alternatives.
    pub(super) fn requirements(&mut self, guards: &[GuardDoc]) -> Option<Vec<SecurityRequirement>> {
        let mut requirements: Vec<SecurityRequirement> = Vec::new();
        for alternative in guard::asked(guards) {
            requirements.push(alternative.iter().map(|security| (self.name(security), Vec::new())).collect());
        }
        (!requirements.is_empty()).then_some(requirements)
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

    /// Returns the components. `session_cookie` is what the configuration calls the cookie of sessions.
    pub(super) fn into_components(self, session_cookie: &str) -> Map<String, RefOr<SecurityScheme>> {
        let component = |security: Security| {
            let key = |name: &str, location: &str| SecuritySchemeData::ApiKey {
                name: name.to_owned(),
                location: location.to_owned(),
            };
            let data = match security.credential {
                Credential::Header(name) => key(name, "header"),
                Credential::Cookie(name) => key(name, "cookie"),
                Credential::Session => key(session_cookie, "cookie"),
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
        let mut security = vec![vec![Security { scheme, description: "", credential }]];
        security.extend(optional.then(Vec::new));
        GuardDoc { security, ..GuardDoc::new(scheme) }
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
    fn guards_that_ask_for_the_same_are_one_and_any_of_theirs_will_do() {
        let either = |optional| {
            let mut doc = guard("session", Credential::Session, optional);
            doc.security
                .insert(1, vec![Security { scheme: "bearer", description: "", credential: Credential::Bearer }]);
            doc
        };
        let mut schemes = Schemes::default();
        let both = [either(true), either(false)];
        assert_eq!(names(&schemes.requirements(&both).unwrap()), [vec!["session"], vec!["bearer"]]);
        let key = guard("key", Credential::Header("X-Key"), false);
        let all = [either(false), key, either(false)];
        assert_eq!(names(&schemes.requirements(&all).unwrap()), [vec!["key", "session"], vec!["bearer", "key"]]);
        assert_eq!(names(&schemes.requirements(&[either(true)]).unwrap()), [vec!["session"], vec!["bearer"], vec![]]);
    }

    #[test]
    fn two_credentials_of_one_name_stay_apart() {
        let mut schemes = Schemes::default();
        let guards = [guard("key", Credential::Header("X-Key"), false), guard("key", Credential::Bearer, false)];
        assert_eq!(names(&schemes.requirements(&guards).unwrap()), [vec!["key", "key_2"]]);
        assert_eq!(names(&schemes.requirements(&guards).unwrap()), [vec!["key", "key_2"]]);
        assert_eq!(schemes.into_components("sid").len(), 2);
    }
}
