//! Determines the client's IP address from the headers of trusted proxies. The rate limits of
//! sign-in and sign-up count by this address, so a wrong address makes unrelated people share a
//! limit.
//!
//! A header is read from its end, because the client may have written everything before a trusted
//! proxy's own entry. A proxy may also pass on a forwarding header that it does not write itself;
//! if `X-Forwarded-For` and `Forwarded` name different addresses, both are ignored. `requests`
//! calls [`client_ip`] once for each request.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::http::HeaderMap;
use ipnet::{IpNet, Ipv4Net};

use crate::log_once::Once;

/// Maximum length of a header entry in a log line.
const SHOWN_CHARS: usize = 80;
/// Length in bits of the prefix of an IPv4-mapped IPv6 address.
const MAPPED_BITS: u8 = 96;

/// The reverse proxies whose forwarding headers are trusted.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpNet>);

impl FromStr for Proxies {
    type Err = String;

    /// Parses a comma-separated list of addresses and networks.
    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl Proxies {
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip))
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => address(text).map(IpNet::from).ok_or_else(|| {
            format!("{text} is neither an address nor a network such as 10.0.0.0/8 or fd00::/8")
        })?,
    };
    // Converts a network of IPv4-mapped addresses to the IPv4 network.
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(bits) = v6.prefix_len().checked_sub(MAPPED_BITS)
        && let Ok(v4) = Ipv4Net::new(v4, bits)
    {
        return Ok(v4.into());
    }
    Ok(network)
}

/// Returns the nearest address on the way to the client that is not a trusted proxy.
pub(crate) fn client_ip(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) -> IpAddr {
    let peer = peer.to_canonical();
    let (usual, standard) =
        (headers.contains_key(X_FORWARDED_FOR), headers.contains_key(FORWARDED));
    if !proxies.contains(peer) {
        if is_private_network(peer) && (usual || standard) {
            warn_of_unlisted_proxy(peer);
        }
        return peer;
    }
    let read = |name| nearest_untrusted(peer, headers, name, proxies);
    let (nearest, unreadable) = match (usual, standard) {
        (true, true) => {
            let (usual, standard) = (read(X_FORWARDED_FOR), read(FORWARDED));
            if usual.0 != standard.0 {
                warn_of_contradiction(peer);
                return peer;
            }
            usual
        }
        (false, true) => read(FORWARDED),
        _ => read(X_FORWARDED_FOR),
    };
    if let Some(entry) = unreadable {
        warn_of_unreadable_entry(peer, &entry);
    }
    nearest
}

/// Logs once that a trusted proxy sends no forwarding header. Call this only for requests that
/// count towards a limit: a health check sent by the proxy itself has no client to name.
pub(crate) fn warn_of_missing_header(peer: IpAddr, headers: &HeaderMap, proxies: &Proxies) {
    static LOGGED: Once = Once::new();
    let peer = peer.to_canonical();
    let has_header = headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED);
    if !has_header && proxies.contains(peer) && LOGGED.is_first() {
        tracing::warn!(
            "the proxy {peer} sends no client address: all clients behind it share the rate limits \
             of one address. Configure the proxy to send X-Forwarded-For"
        );
    }
}

/// The usual header; [`FORWARDED`] is the one of RFC 7239.
const X_FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED: &str = "forwarded";

/// Returns the nearest address in one header that is not a trusted proxy, and the entry that ended
/// the search if that entry is not an address.
fn nearest_untrusted(
    peer: IpAddr,
    headers: &HeaderMap,
    name: &str,
    proxies: &Proxies,
) -> (IpAddr, Option<String>) {
    let mut nearest = peer;
    for entry in entries(headers, name) {
        let Some(ip) = entry.as_deref().and_then(address) else {
            return (nearest, Some(entry.unwrap_or_default()));
        };
        nearest = ip;
        if !proxies.contains(ip) {
            break;
        }
    }
    (nearest, None)
}

/// Returns the entries of the header, last first. `None` stands for a header value that is not
/// text.
fn entries(headers: &HeaderMap, name: &str) -> Vec<Option<String>> {
    let plain = name == X_FORWARDED_FOR;
    let mut found = Vec::new();
    for header in headers.get_all(name) {
        match header.to_str() {
            Err(_) => found.push(None),
            Ok(text) if plain => {
                found.extend(text.split(',').map(|entry| Some(entry.to_owned())));
            }
            // Each element belongs to one proxy: `for=192.0.2.1;proto=https`.
            Ok(text) => found.extend(text.split(',').map(|element| {
                let pair = element.split(';').find_map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("for").then(|| value.to_owned())
                });
                Some(pair.unwrap_or_else(|| element.to_owned()))
            })),
        }
    }
    found.reverse();
    found
}

/// Parses the forms that proxies write: a bare address, or one with a port, brackets, quotes or a
/// zone.
fn address(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let entry = entry.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(entry);
    let entry = entry.trim();
    let ip = match entry.strip_prefix('[') {
        Some(rest) => {
            let (inner, port) = rest.split_once(']')?;
            let has_port = port.strip_prefix(':').is_some_and(is_port);
            if !(port.is_empty() || has_port) {
                return None;
            }
            v6(inner)?
        }
        None => match (entry.parse::<IpAddr>(), entry.split_once(':')) {
            (Ok(ip), _) => ip,
            (Err(_), Some((before, port))) if is_port(port) => IpAddr::V4(before.parse().ok()?),
            _ => v6(entry)?,
        },
    };
    Some(ip.to_canonical())
}

/// Parses an IPv6 address and drops its zone, which has a meaning only on the machine that wrote
/// it.
fn v6(text: &str) -> Option<IpAddr> {
    let (text, _zone) = text.split_once('%').unwrap_or((text, ""));
    text.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// Whether an address belongs to this machine or a private network, where proxies usually run.
fn is_private_network(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn warn_of_unlisted_proxy(peer: IpAddr) {
    static LOGGED: Once = Once::new();
    if LOGGED.is_first() {
        tracing::warn!(
            "requests from {peer} have a forwarding header (X-Forwarded-For or Forwarded), but \
             {peer} is not a trusted proxy: all clients behind it share the rate limits of one \
             address. If the proxy is yours, set DUET_TRUSTED_PROXIES={peer}"
        );
    }
}

fn warn_of_contradiction(peer: IpAddr) {
    static LOGGED: Once = Once::new();
    if LOGGED.is_first() {
        tracing::warn!(
            "a request through the proxy {peer} has X-Forwarded-For and Forwarded, which name \
             different addresses: both are ignored, and such requests share the rate limits of \
             the proxy's address. Let the proxy remove the header that it does not write, because \
             clients can send that header"
        );
    }
}

fn warn_of_unreadable_entry(peer: IpAddr, entry: &str) {
    static LOGGED: Once = Once::new();
    if LOGGED.is_first() {
        let shown: String = entry.chars().take(SHOWN_CHARS).collect();
        tracing::warn!(
            "the proxy {peer} sent {shown:?} as a client address, which is not an IP address: all \
             clients behind it share the rate limits of one address. Configure the proxy to send \
             the client's address in X-Forwarded-For"
        );
    }
}

pub(crate) fn peer_ip(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn ip_from(name: &'static str, proxies: &str, peer: &str, values: &[&'static str]) -> IpAddr {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        client_ip(ip(peer), &headers, &proxies.parse().expect("proxies"))
    }

    #[test]
    fn forwarded_addresses_are_accepted_from_trusted_proxies_only() {
        let from =
            |peer, values: &[&'static str]| ip_from("x-forwarded-for", "10.0.0.0/8", peer, values);
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]), ip("192.0.2.1"));
        assert_eq!(from("10.0.0.1", &["198.51.100.7"]), ip("198.51.100.7"));
        assert_eq!(from("10.0.0.1", &["203.0.113.9, 198.51.100.7"]), ip("198.51.100.7"));
        assert_eq!(from("10.0.0.1", &["203.0.113.9", "198.51.100.7"]), ip("198.51.100.7"));
        assert_eq!(from("10.0.0.1", &["198.51.100.7, 10.0.0.2"]), ip("198.51.100.7"));
        assert_eq!(from("10.0.0.1", &["forged", "10.0.0.2"]), ip("10.0.0.2"));
        assert_eq!(from("10.0.0.1", &["198.51.100.7, unknown"]), ip("10.0.0.1"));
        assert_eq!(from("10.0.0.1", &[]), ip("10.0.0.1"));
    }

    #[test]
    fn every_form_of_an_address_is_parsed() {
        for (written, expected) in [
            ("198.51.100.7", "198.51.100.7"),
            ("198.51.100.7:61234", "198.51.100.7"),
            (" \"198.51.100.7:61234\" ", "198.51.100.7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("::FFFF:c633:6407", "198.51.100.7"),
            ("[::ffff:198.51.100.7]:61234", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            ("\"[2001:db8::7]:443\"", "2001:db8::7"),
            ("2001:DB8:0:0::7", "2001:db8::7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
        ] {
            assert_eq!(address(written), Some(ip(expected)), "{written}");
        }
        for wrong in [
            "",
            "unknown",
            "_hidden",
            "198.51.100.7:",
            "198.51.100.7:x",
            "198.51.100.7:99999",
            "[2001:db8::7",
            "[2001:db8::7]443",
            "[198.51.100.7]:80",
            "example.org:80",
            "1.2.3",
            "\"",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_proxy_is_recognised_by_every_form_of_its_address() {
        let from = |proxies, peer| ip_from("x-forwarded-for", proxies, peer, &["198.51.100.7"]);
        for (proxies, peer) in [
            ("127.0.0.1", "::ffff:127.0.0.1"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::ffff:10.0.0.0/104", "10.1.2.3"),
            ("10.0.0.0/8", "::ffff:10.1.2.3"),
            ("192.0.2.1, ::1 ,", "::1"),
            ("[fd00::1]", "fd00::1"),
            ("fd00::/8", "fd12::1"),
        ] {
            assert_eq!(from(proxies, peer), ip("198.51.100.7"), "{proxies} {peer}");
        }
        assert!("10.0.0.0/33".parse::<Proxies>().is_err());
        assert!("localhost".parse::<Proxies>().is_err());
        // Entries in the middle of the chain are recognised as well.
        let chain = ["198.51.100.7, [::ffff:10.0.0.2]:1234, 10.0.0.3:80"];
        assert_eq!(
            ip_from("x-forwarded-for", "10.0.0.0/8", "::ffff:10.0.0.1", &chain),
            ip("198.51.100.7")
        );
    }

    #[test]
    fn forwarded_is_read_without_x_forwarded_for() {
        let from = |values: &[&'static str]| ip_from("forwarded", "10.0.0.0/8", "10.0.0.1", values);
        assert_eq!(from(&["for=198.51.100.7"]), ip("198.51.100.7"));
        assert_eq!(
            from(&["proto=https;For=\"[2001:db8::7]:4711\";by=10.0.0.1"]),
            ip("2001:db8::7")
        );
        assert_eq!(
            from(&["for=203.0.113.9, for=198.51.100.7;host=x, for=10.0.0.2"]),
            ip("198.51.100.7")
        );
        assert_eq!(from(&["for=_hidden"]), ip("10.0.0.1"));
    }

    #[test]
    fn two_contradicting_headers_are_both_ignored() {
        let proxies: Proxies = "10.0.0.0/8".parse().expect("proxies");
        let both = |usual: &'static str, standard: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(usual));
            headers.insert("forwarded", HeaderValue::from_static(standard));
            client_ip(ip("10.0.0.1"), &headers, &proxies)
        };
        // The client may have written either header.
        assert_eq!(both("198.51.100.7", "for=203.0.113.9"), ip("10.0.0.1"));
        assert_eq!(both("203.0.113.9, 10.0.0.2", "for=198.51.100.7, for=10.0.0.2"), ip("10.0.0.1"));
        assert_eq!(both("198.51.100.7", "for=_hidden"), ip("10.0.0.1"));
        // The same proxy wrote both headers.
        assert_eq!(both("198.51.100.7", "for=\"198.51.100.7:4711\""), ip("198.51.100.7"));
        assert_eq!(both("203.0.113.9, 198.51.100.7", "for=198.51.100.7"), ip("198.51.100.7"));
    }
}
