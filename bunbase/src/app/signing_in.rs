//! Sessions and passwords, as the configuration says.

use std::sync::Arc;

use super::data::Remote;
use crate::{
    Result,
    clock::Clock,
    config::{Config, LongSecret},
    db::Db,
    guard::{Credential, GuardDoc},
    password::{Costs, Passwords},
    seal::{CsrfKeys, PageKeys},
    session::{KeyRing, Revocation, Sessions, Settings, SignOuts, States},
};

/// Makes what hashes passwords.
pub(super) fn passwords(config: &Config) -> Result<Passwords> {
    let password = &config.password;
    let memory_kib = u32::try_from(password.memory.as_u64() / 1024).unwrap_or(u32::MAX);
    let costs = Costs { memory_kib, passes: password.passes, lanes: password.lanes };
    Passwords::new(costs, password.min_length)
}

/// Returns whether a guard asks who is signed in.
pub(super) fn is_asked_for(guard: &GuardDoc) -> bool {
    guard.credentials().any(|security| security.credential == Credential::Session)
}

/// Makes what issues and checks sessions. They are everybody's: shards have none of their own.
pub(super) fn sessions(config: &Arc<Config>, db: &Db, clock: &Clock, remote: &Remote) -> Sessions {
    let settings = settings(config);
    let rows = SignOuts::new(db.clone(), clock.clone());
    let asks = settings.revocation == Revocation::Immediate;
    let states = if asks { remote.kv(config).as_ref().map(States::new) } else { None };
    let secrets = config.clone();
    Sessions::new(settings, clock.clone(), rows, states, move || {
        let secrets = secrets.secrets(Some("sessions are signed with it"))?.unwrap_or_default();
        KeyRing::new(secrets.iter().map(LongSecret::expose))
    })
}

/// Makes what makes tokens of pages, and checks them.
pub(super) fn page_keys(config: &Arc<Config>) -> PageKeys {
    let config = config.clone();
    PageKeys::new(move || {
        let secrets = config.secrets(Some("tokens of pages are made with it"))?.unwrap_or_default();
        CsrfKeys::new(secrets.iter().map(LongSecret::expose))
    })
}

/// Says how long sessions live and how a cookie carries them.
pub(super) fn settings(config: &Config) -> Settings {
    let session = &config.session;
    let (cookie, attributes) = Settings::cookie_of(&session.cookie, session.secure, session.same_site, &session.domain);
    Settings {
        idle_timeout: session.idle_timeout,
        lifetime: session.lifetime,
        renew_after: session.renew_after,
        revocation: session.revocation,
        cookie,
        attributes,
    }
}
