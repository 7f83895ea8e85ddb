//! Who may see what is built in.

use std::{fmt, sync::Arc};

use actix_web::http::header::{self, HeaderMap};

use super::table::Builtin;
use crate::{Error, Result, context::bearer, guard::ApiKeys};

/// Something built in, and where it is.
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) builtin: Builtin,
    /// What opens it; `None` is open to everybody.
    pub(crate) token: Option<Token>,
}

/// A token that callers send as `Authorization: Bearer …`.
#[derive(Clone)]
pub(crate) struct Token {
    // Compared as codes under a key of this process, in constant time.
    keys: Arc<ApiKeys>,
    key: &'static str,
}

impl Token {
    /// Takes this token; `key` is the configuration's name for it.
    pub(crate) fn new(token: &str, key: &'static str) -> Self {
        Self { keys: Arc::new(ApiKeys::new().with(key, token)), key }
    }

    /// Returns whether a request brings it.
    pub(crate) fn opens(&self, headers: &HeaderMap) -> bool {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        authorization.and_then(bearer).is_some_and(|sent| self.keys.holder(sent).is_some())
    }

    /// # Errors
    /// 401 for a request that does not bring it.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<()> {
        if self.opens(headers) {
            return Ok(());
        }
        let detail = format!("send the token of `{}` as `Authorization: Bearer …`", self.key);
        Err(Error::new(401, "unauthorized", detail))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.key)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn the_token_must_be_sent_and_be_the_right_one() {
        let token = Token::new("a-long-random-secret", "admin.token");
        for (sent, expected) in [
            ("Bearer a-long-random-secret", true),
            ("bearer a-long-random-secret", true),
            ("Bearer a-long-random-secre", false),
            ("Bearer a-long-random-secret2", false),
            ("Bearer ", false),
            ("Basic a-long-random-secret", false),
            ("a-long-random-secret", false),
        ] {
            let headers: HeaderMap = [(header::AUTHORIZATION, HeaderValue::from_static(sent))].into_iter().collect();
            assert_eq!(token.opens(&headers), expected, "{sent}");
        }
        let error = token.check(&HeaderMap::new()).unwrap_err();
        assert_eq!((error.status(), error.detail().contains("a-long")), (401, false));
    }
}
