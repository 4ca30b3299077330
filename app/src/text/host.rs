//! Shows which host a web address really opens. Letters of another alphabet or of full width can
//! look Latin, a number can be an IP address, and text before an `@` is not the host. Whether a host
//! is shown depends on the text alone, so server and browser render the same elements; the host
//! itself comes from the parser that opens the address.

use super::browser::opened_host;

/// Shown in place of the host of an address that no browser opens.
const UNKNOWN: &str = "?";

/// Returns the host in ASCII as browsers open it, if the address as written may look like another
/// one.
pub(super) fn real(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let (named, host) =
        authority.rsplit_once('@').map_or((false, authority), |(_, host)| (true, host));
    if !named && host.is_ascii() && !is_disguised_number(host) {
        return None;
    }
    Some(opened_host(url).unwrap_or_else(|| UNKNOWN.to_owned()))
}

/// Whether browsers read an ASCII host as an IPv4 address that is not written in the usual form,
/// such as `0x7f.1`.
fn is_disguised_number(host: &str) -> bool {
    let host = host.split(':').next().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_number = |label: &str| label.starts_with(|c: char| c.is_ascii_digit());
    let is_usual =
        |label: &str| label.parse::<u8>().is_ok() && (label == "0" || !label.starts_with('0'));
    host.rsplit('.').next().is_some_and(is_number)
        && !(host.split('.').count() == 4 && host.split('.').all(is_usual))
}

#[cfg(test)]
mod tests {
    use super::real;

    #[test]
    fn the_host_that_browsers_open_is_shown_if_the_text_may_look_like_another() {
        let cases = [
            ("https://müller.de/a", Some("xn--mller-kva.de")),
            ("http://bücher.example:8080?q", Some("xn--bcher-kva.example")),
            // The first letter is Cyrillic.
            ("https://аpple.com", Some("xn--pple-43d.com")),
            ("https://пример.рф/", Some("xn--e1afmkfd.xn--p1ai")),
            ("https://例え。テスト", Some("xn--r8jz45g.xn--zckzah")),
            ("https://BÜCHER.example", Some("xn--bcher-kva.example")),
            // Browsers map these to ASCII.
            ("https://ｂａｎｋ．example", Some("bank.example")),
            ("https://ℯⓥｉ𝐥。example/bank.example", Some("evil.example")),
            ("https://bank.ex\u{AD}ample", Some("bank.example")),
            ("https://①②⑦.0.0.1/", Some("127.0.0.1")),
            ("https://bank.example@evil.example/", Some("evil.example")),
            ("https://bank.example:443@EVIL.example/", Some("evil.example")),
            ("https://bank.example@[2001:db8::1]:3000/", Some("[2001:db8::1]")),
            ("http://2130706433/", Some("127.0.0.1")),
            ("http://0x7f.1:8080/", Some("127.0.0.1")),
            ("http://192.0.02.7/", Some("192.0.2.7")),
            ("http://192.0.2.999/", Some("?")),
            ("http://192.0.2.7/", None),
            ("http://10.0.0.1:3000/", None),
            ("https://Bank.EXAMPLE/", None),
            ("https://4chan.example/", None),
            ("https://[2001:db8::1]:3000/", None),
            ("https://example.org/ä?ö=ü@x", None),
            ("mailto:a@example.org", None),
        ];
        for (url, host) in cases {
            assert_eq!(real(url).as_deref(), host, "{url}");
        }
    }
}
