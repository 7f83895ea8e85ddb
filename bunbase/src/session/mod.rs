//! Sessions: who is signed in, as a signed token that any instance can check by itself.
//!
//! Here: the token's format and its keys, what signs out ([`Revocation`]), and [`Sessions`], which issues and checks tokens. Not here:
//! where a request carries its token, and who is told (`context`, `guard`). May name: `config`, `db`, `kv`,
//! `clock`, `error`.
//!
//! # The token
//!
//! `bbs1.` and base64url without padding (RFC 4648 section 5) of the body and its tag. Numbers are big-endian; times are milliseconds
//! since 1970-01-01T00:00:00Z; a *text* is its length in bytes, as a `u16`, and then its UTF-8; a *list* is a `u16` and as many texts.
//!
//! | Bytes | What |
//! |---|---|
//! | 4 | which key signed it |
//! | 16 | the id of the session, random |
//! | 8 | the epoch of the user when the session began, in microseconds since 1970; 0 for none: [`Sessions::end_all`] raises it |
//! | 8 | when the user signed in: the absolute lifetime counts from here |
//! | 8 | when the user last proved who they are: `step_up` asks for it |
//! | 8 | when this token was issued |
//! | 8 | when it expires |
//! | text | the user's id |
//! | text | the organisation; empty for none |
//! | text | the tenant whose user it is; empty for none |
//! | list | the roles |
//! | list | the permissions |
//! | text | the application's own claims, as JSON; empty for none |
//! | 32 | the tag: HMAC-SHA-256 (RFC 2104) under the key, of `bbs1.` and everything above |
//!
//! The key is HKDF-SHA-256 (RFC 5869) of the secret, without salt, for `bunbase session v1 key`, 32 bytes; its name is the same for
//! `bunbase session v1 name`, 4 bytes. The token is signed and not encrypted: whoever holds it can read it.

mod grant;
mod id;
mod keys;
mod revocation;
mod seen;
mod sessions;
mod settings;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use self::sessions::at;
pub use self::{
    grant::Grant,
    id::SessionId,
    keys::KeyRing,
    revocation::{SignOuts, States},
    sessions::{Issued, Refused, Sessions},
    settings::Settings,
    token::Claims,
};
pub use crate::config::{Revocation, SameSite};
