//! Callers known by a key that they send in the header `X-Api-Key`.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Credential, Guard, Provider, Security};
use crate::{
    Error,
    action::{ActionError, ErrorVariant},
    context::{Ctx, Identity},
    error::{ErrorClass, Retry},
};

/// The header that carries the key.
const HEADER: &str = "X-Api-Key";

/// The keys that an application takes, each under the name of who holds it. Give them to `App::state`.
///
/// ```
/// # use bunbase::guard::ApiKeys;
/// let keys = ApiKeys::new().with("ci", "a-long-random-secret");
/// assert_eq!(keys.holder("a-long-random-secret"), Some("ci"));
/// assert_eq!(keys.holder("another"), None);
/// ```
pub struct ApiKeys {
    /// Keys are kept as codes under a random key of this process, so that comparing them takes the same time
    /// whatever they have in common, and a dump of the memory does not show them.
    code: Hmac<Sha256>,
    known: Vec<(String, [u8; 32])>,
}

impl ApiKeys {
    /// Starts with no key: everybody is refused.
    pub fn new() -> Self {
        let mut secret = [0_u8; 64];
        // Without a source of randomness the codes are only as secret as the keys, and still compared in constant time.
        let _ = getrandom::fill(&mut secret);
        Self { code: Hmac::new(&secret.into()), known: Vec::new() }
    }

    /// Adds the key of `holder`. An empty key is never taken.
    #[must_use]
    pub fn with(mut self, holder: impl Into<String>, key: &str) -> Self {
        if !key.is_empty() {
            let code = self.code_of(key);
            self.known.push((holder.into(), code));
        }
        self
    }

    /// Returns who holds this key.
    pub fn holder(&self, key: &str) -> Option<&str> {
        let mut code = self.code.clone();
        code.update(key.as_bytes());
        let found = self.known.iter().find(|(_, known)| code.clone().verify_slice(known).is_ok());
        found.map(|(holder, _)| holder.as_str())
    }

    fn code_of(&self, key: &str) -> [u8; 32] {
        let mut code = self.code.clone();
        code.update(key.as_bytes());
        code.finalize().into_bytes().into()
    }
}

impl Default for ApiKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(holder, _)| holder)).finish()
    }
}

/// Who called, known by an API key: `#[guard] caller: ApiKey`.
///
/// Where there is no request, because the run is a job, an event's or a call from the command line (`call --as service:NAME`), it is the
/// [service](Identity::Service) that caused the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// The name under which the key was added.
    pub holder: String,
}

/// A caller without a key that is known.
#[derive(Debug)]
pub enum ApiKeyError {
    /// There is no key.
    Missing,
    /// Nobody holds this key.
    Unknown,
    /// The framework's own error: the application has no [`ApiKeys`].
    Framework(Error),
}

const MISSING: ErrorVariant = ErrorVariant {
    status: 401,
    code: "api_key_missing",
    message: "send your key in the header `X-Api-Key`",
    docs: "There is no API key.",
    retry: Retry::Never,
};

const UNKNOWN: ErrorVariant = ErrorVariant {
    status: 401,
    code: "api_key_unknown",
    message: "nobody holds the key in the header `X-Api-Key`",
    docs: "The API key is not known.",
    retry: Retry::Never,
};

impl fmt::Display for ApiKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(MISSING.message),
            Self::Unknown => f.write_str(UNKNOWN.message),
            Self::Framework(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ApiKeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Missing | Self::Unknown => None,
            Self::Framework(error) => error.source(),
        }
    }
}

impl From<ApiKeyError> for Error {
    fn from(error: ApiKeyError) -> Self {
        let variant = match error {
            ApiKeyError::Missing => MISSING,
            ApiKeyError::Unknown => UNKNOWN,
            ApiKeyError::Framework(error) => return error,
        };
        Self::new(variant.status, variant.code, variant.message).retry(variant.retry)
    }
}

impl ActionError for ApiKeyError {
    const VARIANTS: &'static [ErrorVariant] = &[MISSING, UNKNOWN];
    const HIDES: bool = false;

    fn class(&self) -> ErrorClass<'_> {
        match self {
            Self::Missing => MISSING.class(),
            Self::Unknown => UNKNOWN.class(),
            Self::Framework(error) => error.class(),
        }
    }
}

impl Provider for ApiKey {
    type Error = ApiKeyError;

    const NEEDS_CALLER: bool = true;

    async fn provide(ctx: &Ctx) -> Result<Self, ApiKeyError> {
        let keys = ctx.state::<ApiKeys>().map_err(ApiKeyError::Framework)?;
        // Behind a door without a request the key was shown when the run was made.
        let Some(request) = ctx.request() else {
            return match ctx.identity() {
                Identity::Service { name } => Ok(Self { holder: name }),
                _ => Err(ApiKeyError::Missing),
            };
        };
        let key = request.header(HEADER).ok_or(ApiKeyError::Missing)?;
        let holder = keys.holder(key).ok_or(ApiKeyError::Unknown)?;
        ctx.identify(Identity::service(holder));
        Ok(Self { holder: holder.to_owned() })
    }

    fn security() -> Vec<Security> {
        vec![security()]
    }
}

/// Refuses callers without an API key that is known: `guards = [api_key()]`.
#[derive(Clone, Copy, Debug)]
pub struct RequireApiKey;

/// Refuses callers without an API key that is known. The keys are those of [`ApiKeys`] in the application's state.
pub fn api_key() -> RequireApiKey {
    RequireApiKey
}

impl Guard for RequireApiKey {
    type Error = ApiKeyError;

    const NEEDS_CALLER: bool = true;

    async fn check(&self, ctx: &Ctx) -> Result<(), ApiKeyError> {
        // Through the context, so that a parameter of the same run finds it made already.
        ctx.provide::<ApiKey>().await.map(|_| ()).map_err(ApiKeyError::Framework)
    }

    fn name(&self) -> String {
        "api_key".to_owned()
    }

    fn security(&self) -> Vec<Security> {
        vec![security()]
    }
}

fn security() -> Security {
    Security {
        scheme: "api_key",
        description: "A key that the operator of this service gave to you.",
        credential: Credential::Header(HEADER),
    }
}
