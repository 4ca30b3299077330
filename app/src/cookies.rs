//! Cookies: parsing those of a request, and the name and attributes of the session cookie. Server
//! only; `server` authenticates requests with it.

use std::sync::Arc;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// The name and attributes of the session cookie.
#[derive(Clone, Debug)]
pub struct SessionCookie {
    /// `__Host-…` over HTTPS; a plain name over HTTP, where browsers reject that prefix.
    pub name: Arc<str>,
    /// Whether to set the `Secure` attribute.
    pub secure: bool,
    /// `Max-Age`: the maximum lifetime of a session.
    pub seconds: u32,
}

impl SessionCookie {
    /// The `Set-Cookie` header that stores a token.
    pub fn issue(&self, token: &str) -> HeaderValue {
        self.header(token, self.seconds)
    }

    /// The `Set-Cookie` header that deletes the cookie.
    pub fn clear(&self) -> HeaderValue {
        self.header("", 0)
    }

    fn header(&self, token: &str, seconds: u32) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = &self.name;
        HeaderValue::try_from(format!(
            "{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}"
        ))
        .expect("a cookie's name and an encoded token are visible ASCII")
    }
}

/// The cookies of a request, as names and values.
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_cookie_is_http_only_secure_and_same_site() {
        let seconds = 2_592_000;
        let cookie = SessionCookie { name: "__Host-duet".into(), secure: true, seconds };
        let issued = cookie.issue("abc");
        assert_eq!(
            issued.to_str().ok(),
            Some("__Host-duet=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure")
        );
        let plain = SessionCookie { name: "duet".into(), secure: false, seconds };
        assert_eq!(
            plain.clear().to_str().ok(),
            Some("duet=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
        );
    }
}
