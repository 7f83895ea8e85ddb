//! The doors beside HTTP, and what all of them share: one path, one set of guards, one record.

mod calls;
mod cases;
mod compute;
mod enqueue;
mod events;
mod idempotency;
mod retries;
mod roles;
mod webhooks;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) use super::http::soon;

/// Signs the parts of a delivery, one after the other.
fn sign(secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    for part in parts {
        code.update(part);
    }
    code.finalize().into_bytes().to_vec()
}

/// Writes bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
