//! Cookies: parsing those of a request, and the names and attributes of the cookies that the server
//! sets. Server only; `server` authenticates requests with the session cookie.

use std::sync::Arc;

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// The cookies that the server sets.
#[derive(Clone, Debug)]
pub struct ServerCookies {
    /// Holds the token of the session.
    pub session: ServerCookie,
    /// Holds the token of the device on which a user has signed in, also after the sign-out.
    pub device: ServerCookie,
    /// Holds the state of a sign-in through the provider.
    pub provider: ServerCookie,
}

/// The name and attributes of a cookie that no script can read.
#[derive(Clone, Debug)]
pub struct ServerCookie {
    /// `__Host-…` over HTTPS; a plain name over HTTP, where browsers reject that prefix.
    pub name: Arc<str>,
    /// Whether to set the `Secure` attribute.
    pub secure: bool,
    /// `Max-Age`.
    pub seconds: u32,
}

impl ServerCookie {
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
    fn a_cookie_is_http_only_secure_and_same_site() {
        let seconds = 2_592_000;
        let cookie = ServerCookie { name: "__Host-duet".into(), secure: true, seconds };
        let issued = cookie.issue("abc");
        assert_eq!(
            issued.to_str().ok(),
            Some("__Host-duet=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000; Secure")
        );
        let plain = ServerCookie { name: "duet".into(), secure: false, seconds };
        assert_eq!(
            plain.clear().to_str().ok(),
            Some("duet=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
        );
    }
}
