//! Passwords: kept as Argon2id hashes, checked without telling who exists, and judged before they are taken.
//!
//! Here: [`Passwords`], its costs, and what makes a password weak. Not here: where hashes are stored, and who signs in (`session`). May
//! name: `error`.
//!
//! A hash is a text of the PHC string format, `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`, as every Argon2 library writes and reads it. It says
//! what it cost, so costs may be raised at any time: the next sign-in that succeeds says that the hash is to be made anew.
//!
//! Hashing computes for some tens of milliseconds on purpose. It runs on threads of its own, as many at a time as half the cores, at least one;
//! so that requests are served meanwhile. Those who wait for longer than ten seconds get 503.

mod costs;
mod judge;
#[cfg(test)]
mod tests;
mod work;

pub use self::{
    costs::Costs,
    judge::Weakness,
    work::{Checked, Passwords},
};
