//! Tenants: customers of one application, each with data of its own.
//!
//! Here: [`TenantId`], which tenants there are and where their data is ([`Tenants`]), what keeps them apart in one database
//! ([`Scoping`], [`policies`]), and migrations over all of them. Not here: how a request says its tenant, and what a run may reach
//! (`context`). May name: `db`, `clock`,
//! `error`.
//!
//! Tenants are kept apart by the database, not by conditions that a query may forget: each has a database or a schema of its own, or
//! shares tables whose policies show it its own rows. A session is never a tenant's for longer than a transaction, so all of it works
//! behind a proxy that pools transactions.

mod directory;
mod id;
mod migrate;
mod policies;
mod scoping;

pub use self::{
    directory::{Settings, Tenant, Tenants},
    id::{NoTenantId, TenantId},
    migrate::Migrated,
    policies::policies,
    scoping::{Isolation, Scoping},
};
