//! The origins of this site's own pages. Every request that changes state and every WebSocket
//! handshake is compared with them by `guard` and `socket`; the pages get them to
//! detect that they were opened under another address.

use anyhow::{Context, Result, bail};
use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use url::Url;

#[derive(Clone, Debug)]
pub struct Origins {
    allowed: Vec<String>,
    https: bool,
    loopback: bool,
    /// Whether the operator set the public URL.
    configured: bool,
    port: u16,
}

impl Origins {
    /// The origins of a server for this machine only: `localhost` and the loopback addresses.
    pub fn loopback(port: u16) -> Self {
        let allowed = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .map(|host| match port {
                80 => format!("http://{host}"),
                port => format!("http://{host}:{port}"),
            })
            .collect();
        Self { allowed, https: false, loopback: true, configured: false, port }
    }

    /// The origin of a server with one public address.
    ///
    /// # Errors
    /// Fails if the text is not an http or https URL, or if the URL has a path, a query or a user
    /// name.
    pub fn public(url: &str) -> Result<Self> {
        let parsed =
            Url::parse(url).with_context(|| format!("DUET_PUBLIC_URL: {url} is not a URL"))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            bail!("DUET_PUBLIC_URL: {url} must begin with https:// or http:// and name a host");
        }
        if parsed.path() != "/" || parsed.query().is_some() || !parsed.username().is_empty() {
            bail!("DUET_PUBLIC_URL: {url} must be an origin alone, without a path");
        }
        let loopback = match parsed.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let https = parsed.scheme() == "https";
        let port = parsed.port_or_known_default().unwrap_or_default();
        let allowed = vec![parsed.origin().ascii_serialization()];
        Ok(Self { allowed, https, loopback, configured: true, port })
    }

    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The port of the public address, including the default port of its scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether only this machine can open the pages.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The public address, if the operator has set it.
    pub fn configured(&self) -> Option<&str> {
        self.configured.then(|| self.first())
    }

    /// The address for log lines and refusals.
    pub fn first(&self) -> &str {
        self.allowed.first().map_or("", String::as_str)
    }

    /// The domain name and the origin to which passkeys belong. `None` if browsers refuse passkeys
    /// there: they need https or `localhost`, and a name.
    pub fn passkey_site(&self) -> Option<(String, &str)> {
        self.allowed.iter().find_map(|origin| {
            let url = Url::parse(origin).ok()?;
            let name = url.domain().filter(|name| self.https || *name == "localhost")?;
            Some((name.to_owned(), origin.as_str()))
        })
    }

    /// All origins, the first one in front, separated by spaces.
    pub fn all(&self) -> String {
        self.allowed.join(" ")
    }

    /// Describes the operator's setting in a log line.
    pub fn setting(&self) -> String {
        let first = self.first();
        if self.configured {
            format!("DUET_PUBLIC_URL is {first}")
        } else {
            format!("DUET_PUBLIC_URL is not set, so that Duet serves only this machine, at {first}")
        }
    }

    pub fn includes(&self, origin: &str) -> bool {
        self.allowed.iter().any(|ours| ours == origin)
    }

    /// Whether the request has exactly one `Origin` header, and that header names this site.
    pub fn accepts(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(ORIGIN).iter();
        match (sent.next(), sent.next()) {
            (Some(origin), None) => self.allowed.iter().any(|ours| origin == ours.as_str()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_origin_is_accepted() {
        let ours = Origins::public("https://chat.example.org").expect("a URL");
        let accepts = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, origin.parse().expect("a header"));
            ours.accepts(&headers)
        };
        assert!(accepts("https://chat.example.org"));
        for foreign in [
            "null",
            "",
            "http://chat.example.org",
            "https://chat.example.org:444",
            "https://chat.example.org.",
            "https://chat.example.org.evil.test",
            "https://evilchat.example.org",
            "https://example.org",
            "https://CHAT.example.org",
            "https://chat.example.org/",
            "https://chat.example.org https://evil.test",
        ] {
            assert!(!accepts(foreign), "{foreign}");
        }
        assert!(!ours.accepts(&HeaderMap::new()));
        let mut twice = HeaderMap::new();
        twice.append(ORIGIN, "https://chat.example.org".parse().expect("a header"));
        twice.append(ORIGIN, "https://evil.test".parse().expect("a header"));
        assert!(!ours.accepts(&twice));
    }

    #[test]
    fn passkeys_belong_to_a_domain_with_https_or_to_localhost() {
        for (url, name) in [
            ("https://chat.example.org", Some("chat.example.org")),
            ("https://chat.example.org:8443", Some("chat.example.org")),
            ("http://localhost:3000", Some("localhost")),
            ("http://chat.example.org", None),
            ("https://192.0.2.1", None),
            ("https://[2001:db8::1]", None),
        ] {
            let origins = Origins::public(url).expect("a URL");
            let site = origins.passkey_site();
            assert_eq!(site.as_ref().map(|(name, _)| name.as_str()), name, "{url}");
            assert!(site.is_none_or(|(_, origin)| origin == url), "{url}");
        }
        let local = Origins::loopback(3000);
        let expected = Some(("localhost".to_owned(), "http://localhost:3000"));
        assert_eq!(local.passkey_site(), expected);
    }

    #[test]
    fn the_default_port_is_not_written() {
        let ours = Origins::public("https://chat.example.org:443/").expect("a URL");
        assert_eq!(ours.first(), "https://chat.example.org");
    }
}
