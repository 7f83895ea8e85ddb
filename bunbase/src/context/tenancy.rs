//! Whose data a run may reach.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{Ctx, Database, Identity, Inner, Lazy, Scope, Services};
use crate::{
    Error, Result,
    action::Door,
    config::TenantSource,
    db::DbErr,
    error::{Retry, code},
    tenant::TenantId,
};

/// A tenant that a run has entered: from here on all that it reaches is the tenant's.
pub(crate) struct Entered {
    id: TenantId,
    services: Arc<Services>,
    db: Database,
}

/// What refuses statements of runs that have not entered a tenant.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicBool);

impl Gate {
    pub(crate) fn closed(is_closed: bool) -> Self {
        Self(AtomicBool::new(is_closed))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn open(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Refuses a statement while it is closed.
    pub(crate) fn pass(&self) -> Result<(), DbErr> {
        if self.is_closed() {
            let text = "this run has no tenant, so it reaches no data: a guard that needs some must come after the tenant is known, and an \
                        action of all tenants says so by `guards = [across_tenants()]`";
            return Err(DbErr::Custom(text.to_owned()));
        }
        Ok(())
    }
}

impl Inner {
    /// Returns the services that this run uses: those of its tenant's shard, once it has one.
    pub(crate) fn services(&self) -> &Arc<Services> {
        self.entered.get().map_or(&self.services, |entered| &entered.services)
    }

    /// Returns the database that this run uses.
    pub(crate) fn db(&self) -> &Database {
        self.entered.get().map_or(&self.db, |entered| &entered.db)
    }
}

impl Ctx {
    /// Returns the tenant whose data this run reaches; `None` without tenants, and in a run across all of them.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.inner().entered.get().map(|entered| &entered.id)
    }

    /// Makes this run that of a tenant: from here on its statements, values, locks, cached answers, jobs and events are the tenant's. For
    /// guards that find the tenant in a way of their own. It is entered once.
    ///
    /// # Errors
    /// 404 `tenant_unknown`; 403 `tenant_other` when the run has entered another one, or is part of another one's transaction.
    pub async fn enter_tenant(&self, id: &TenantId) -> Result<()> {
        let inner = self.inner();
        if let Some(entered) = inner.entered.get() {
            return if entered.id == *id { Ok(()) } else { Err(other()) };
        }
        let tenants = &inner.services.tenants;
        let shard = tenants.find(id).await?.ok_or_else(unknown)?;
        let services = inner.services.of_shard(&shard)?;
        let scoping = tenants.scoping(id, &shard).await?;
        let caller = inner.db.caller().cloned();
        let scope = match inner.db.scope() {
            Scope::Alone => Scope::Alone,
            Scope::Lazy(_) => Scope::Lazy(Arc::new(Lazy::new(services.db.clone(), scoping.clone()))),
            // It joins its caller's, whose tenant is therefore its own.
            Scope::Joined(open) => match caller.as_ref().and_then(Self::tenant) {
                Some(callers) if callers == id => Scope::Joined(open),
                _ => return Err(other()),
            },
        };
        let db = Database::new(services.db.clone(), inner.db.run().clone(), scope, caller).of_tenant(scoping);
        let db = db.reading_after(inner.db.after());
        // Of two at once the first holds.
        let entered = inner.entered.get_or_init(|| Entered { id: id.clone(), services, db });
        if entered.id == *id { Ok(()) } else { Err(other()) }
    }

    /// Lets this run reach what is no tenant's: the main database, without policies and schemas.
    pub(crate) fn go_across_tenants(&self) {
        self.inner().db.gate().open();
    }

    /// Enters the tenant that the run was stored or called with, or that its request names.
    pub(crate) async fn resolve_tenant(&self) -> Result<()> {
        let inner = self.inner();
        if !inner.services.tenants.is_on() {
            return Ok(());
        }
        let named = match &inner.carried_tenant {
            Some(id) => Some(id.clone()),
            None => self.named_tenant()?,
        };
        match named {
            // In a box, as what most runs do not need: they would carry room for it.
            Some(id) => Box::pin(self.enter_tenant(&id)).await,
            None => Ok(()),
        }
    }

    /// Enters the organisation of whoever guards have established, where that is the tenant, and refuses a run that has none.
    pub(crate) async fn require_tenant(&self) -> Result<()> {
        let inner = self.inner();
        if inner.entered.get().is_some() || !inner.db.gate().is_closed() {
            return Ok(());
        }
        let settings = &inner.services.config.tenants;
        if let (TenantSource::Session, Identity::User { organisation: Some(organisation), .. }) =
            (settings.from, self.identity())
        {
            return Box::pin(self.enter_tenant(&organisation.parse().map_err(|_| unknown())?)).await;
        }
        let text = match settings.from {
            TenantSource::Header => format!("say whose data it is about in the header `{}`", settings.header),
            TenantSource::Subdomain => format!("call it at the name of a tenant, such as `acme.{}`", settings.domain),
            TenantSource::Path => format!("the path names no tenant: its parameter is `{{{}}}`", settings.parameter),
            TenantSource::Session => "sign in as a member of an organisation".to_owned(),
        };
        Err(Error::new(400, code::TENANT_MISSING, text).retry(Retry::Never))
    }

    /// Returns the tenant that the request names, or the message where there is no request.
    fn named_tenant(&self) -> Result<Option<TenantId>> {
        let settings = &self.inner().services.config.tenants;
        let request = self.request().filter(|_| matches!(self.door(), Door::Http | Door::Tool | Door::Webhook));
        let text = match (settings.from, request) {
            (TenantSource::Header, Some(request)) => request.header(&settings.header).map(str::to_owned),
            (TenantSource::Subdomain, Some(request)) => {
                request.host().and_then(|host| subdomain(host, &settings.domain)).map(str::to_owned)
            }
            (TenantSource::Path, _) => self.path_param::<String>(&settings.parameter).ok(),
            _ => None,
        };
        text.map(|text| text.parse().map_err(|_| unknown())).transpose()
    }
}

/// Returns the label before a domain: `acme` of `acme.example.com:443`.
fn subdomain<'h>(host: &'h str, domain: &str) -> Option<&'h str> {
    let name = host.rsplit_once(':').map_or(
        host,
        |(name, port)| {
            if port.chars().all(|c| c.is_ascii_digit()) { name } else { host }
        },
    );
    let cut = name.len().checked_sub(domain.len() + 1)?;
    let (label, rest) = (name.get(..cut)?, name.get(cut..)?);
    let is_below = rest.strip_prefix('.').is_some_and(|rest| rest.eq_ignore_ascii_case(domain));
    (is_below && !label.is_empty() && !label.contains('.')).then_some(label)
}

fn unknown() -> Error {
    Error::new(404, code::TENANT_UNKNOWN, "there is no such tenant").retry(Retry::Never)
}

fn other() -> Error {
    Error::new(403, code::TENANT_OTHER, "this run is another tenant's").retry(Retry::Never)
}

impl Services {
    /// Returns the services of a shard.
    ///
    /// # Errors
    /// 403 `tenant_other` where this is a shard's and that is another one; 500 where there is none.
    pub(crate) fn of_shard(self: &Arc<Self>, shard: &str) -> Result<Arc<Self>> {
        if self.shard == shard {
            return Ok(self.clone());
        }
        if !self.shard.is_empty() {
            return Err(other());
        }
        let found = self.shards.get().and_then(|shards| shards.get(shard)).cloned();
        found.ok_or_else(|| Error::internal(format!("there is no shard `{shard}`; see `tenants.shards`")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_subdomain_is_one_label_before_the_domain() {
        for (host, expected) in [
            ("acme.example.com", Some("acme")),
            ("acme.EXAMPLE.com:8080", Some("acme")),
            ("example.com", None),
            (".example.com", None),
            ("a.b.example.com", None),
            ("acmeexample.com", None),
            ("acme.example.org", None),
            ("[::1]:80", None),
        ] {
            assert_eq!(subdomain(host, "example.com"), expected, "{host}");
        }
    }

    proptest! {
        #[test]
        fn no_host_makes_it_panic(host: String, domain: String) {
            let _ = subdomain(&host, &domain);
        }
    }
}
