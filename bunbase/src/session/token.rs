//! A token and its text; see the room's documentation for the format.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    Grant, SessionId,
    keys::{KeyRing, NAME_BYTES, TAG_BYTES},
};
use crate::{Error, Result};

/// What a token begins with: its kind and version.
pub(super) const PREFIX: &str = "bbs1.";

/// The longest token: with its name and attributes a cookie has 4096 bytes (RFC 6265bis section 5.7).
const LONGEST: usize = 3800;

/// Room for the bytes of the longest token.
const ROOM: usize = LONGEST / 4 * 3 + 3;

/// What a token says. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub struct Claims {
    /// The session.
    pub session: SessionId,
    /// The epoch of the user when the session began.
    pub epoch: i64,
    /// When the user signed in.
    pub signed_in_at: i64,
    /// When the user last proved who they are.
    pub authenticated_at: i64,
    /// When the token was issued.
    pub issued_at: i64,
    /// When it expires.
    pub expires_at: i64,
    /// The user.
    pub user: String,
    /// The organisation that the user acts for.
    pub organisation: Option<String>,
    /// The tenant whose user it is.
    pub tenant: Option<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// The permissions.
    pub permissions: Vec<String>,
    /// The application's own claims.
    pub own: Option<Box<RawValue>>,
}

impl Claims {
    /// Returns what this grants, to be granted again.
    pub(crate) fn grant(&self) -> Grant {
        Grant {
            user: self.user.clone(),
            organisation: self.organisation.clone(),
            roles: self.roles.clone(),
            permissions: self.permissions.clone(),
            claims: self.own.clone(),
            tenant: self.tenant.clone(),
        }
    }

    /// Reads the application's own claims.
    ///
    /// # Errors
    /// 500 when there are none, or they are not a `T`: an older version of the application issued them.
    pub fn own<T: DeserializeOwned>(&self) -> Result<T> {
        let text = self.own.as_ref().map_or("null", |own| own.get());
        serde_json::from_str(text).map_err(|source| Error::internal(format!("the claims of a session: {source}")))
    }

    /// Writes and signs the token.
    ///
    /// # Errors
    /// 500 when it is too long for a cookie.
    pub(super) fn sign(&self, keys: &KeyRing) -> Result<String> {
        let long = || {
            Error::internal(format!(
                "what the session of user `{}` says is too long for a cookie of {LONGEST} bytes: keep fewer claims in it",
                self.user
            ))
        };
        let mut body = Vec::with_capacity(256);
        body.extend([0; NAME_BYTES]);
        body.extend(self.session.0.as_bytes());
        for number in [self.epoch, self.signed_in_at, self.authenticated_at, self.issued_at, self.expires_at] {
            body.extend(number.to_be_bytes());
        }
        text(&mut body, &self.user).ok_or_else(long)?;
        text(&mut body, self.organisation.as_deref().unwrap_or_default()).ok_or_else(long)?;
        text(&mut body, self.tenant.as_deref().unwrap_or_default()).ok_or_else(long)?;
        for list in [&self.roles, &self.permissions] {
            body.extend(u16::try_from(list.len()).map_err(|_| long())?.to_be_bytes());
            for item in list {
                text(&mut body, item).ok_or_else(long)?;
            }
        }
        text(&mut body, self.own.as_ref().map_or("", |own| own.get())).ok_or_else(long)?;
        let tag = keys.sign(&mut body).ok_or_else(|| Error::internal("there is no key to sign sessions with"))?;
        body.extend(tag);
        let mut token = String::with_capacity(PREFIX.len() + body.len() * 4 / 3 + 3);
        token.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(&body, &mut token);
        if token.len() > LONGEST { Err(long()) } else { Ok(token) }
    }

    /// Reads a token that one of the keys signed; `None` is anything else.
    ///
    /// Nothing is allocated before the tag is known to be right.
    pub(super) fn verify(token: &str, keys: &KeyRing) -> Option<Self> {
        let text = token.strip_prefix(PREFIX).filter(|text| text.len() <= LONGEST)?;
        let mut room = [0; ROOM];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
        let (body, tag) = room.get(..length)?.split_last_chunk::<TAG_BYTES>()?;
        if !keys.verify(body, tag) {
            return None;
        }
        Self::read(body.get(NAME_BYTES..)?)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let session = SessionId(Uuid::from_bytes(*reader.take()?));
        let mut number = || reader.take().map(|bytes| i64::from_be_bytes(*bytes));
        let (epoch, signed_in_at, authenticated_at, issued_at, expires_at) =
            (number()?, number()?, number()?, number()?, number()?);
        let user = reader.text()?.to_owned();
        let mut maybe = || Some(Some(reader.text()?).filter(|text| !text.is_empty()).map(str::to_owned));
        let (organisation, tenant) = (maybe()?, maybe()?);
        let (roles, permissions) = (reader.list()?, reader.list()?);
        let own = match reader.text()? {
            "" => None,
            json => Some(RawValue::from_string(json.to_owned()).ok()?),
        };
        let claims = Self {
            session,
            epoch,
            signed_in_at,
            authenticated_at,
            issued_at,
            expires_at,
            user,
            organisation,
            tenant,
            roles,
            permissions,
            own,
        };
        reader.0.is_empty().then_some(claims)
    }
}

#[cfg(test)]
impl Claims {
    /// What a token says of a user alone, whose session is random and whose times are all 0.
    pub(super) fn of(user: &str) -> Self {
        Self {
            session: SessionId(Uuid::new_v4()),
            epoch: 0,
            signed_in_at: 0,
            authenticated_at: 0,
            issued_at: 0,
            expires_at: 0,
            user: user.to_owned(),
            organisation: None,
            tenant: None,
            roles: Vec::new(),
            permissions: Vec::new(),
            own: None,
        }
    }
}

/// Appends a text; `None` when it is too long.
fn text(body: &mut Vec<u8>, text: &str) -> Option<()> {
    body.extend(u16::try_from(text.len()).ok()?.to_be_bytes());
    body.extend(text.as_bytes());
    Some(())
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Option<&'b [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    fn length(&mut self) -> Option<usize> {
        self.take().map(|bytes| u16::from_be_bytes(*bytes).into())
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn list(&mut self) -> Option<Vec<String>> {
        let count = self.length()?;
        (0..count).map(|_| self.text().map(str::to_owned)).collect()
    }
}
