//! Text functions of the browser, because the tables and parsers of the standard library would be a
//! fiftieth of the page. Native code uses the standard library. Both give the same results, so that
//! server and browser render the same.

#[cfg(not(feature = "hydrate"))]
pub(super) use native::{folded, is_ipv6, is_letter, lowercase, opened_host, uppercase};
#[cfg(feature = "hydrate")]
pub(super) use page::{folded, is_ipv6, is_letter, lowercase, opened_host, uppercase};

#[cfg(feature = "hydrate")]
mod page {
    use js_sys::{JsString, RegExp};

    pub fn lowercase(letter: char) -> String {
        JsString::from(letter.to_string()).to_lower_case().into()
    }

    pub fn uppercase(letter: char) -> String {
        JsString::from(letter.to_string()).to_upper_case().into()
    }

    pub fn is_letter(sign: char) -> bool {
        RegExp::new(r"[\p{Alphabetic}\p{N}]", "u").test(&sign.to_string())
    }

    /// Folds a text for search as [`protocol::words`] requires.
    pub fn folded(text: &str) -> String {
        let marks = RegExp::new(r"\p{M}", "gu");
        let plain = JsString::from(text).normalize("NFKD").replace_by_pattern(&marks, "");
        plain.to_upper_case().to_lower_case().into()
    }

    /// Returns the host that the browser opens for an address.
    pub fn opened_host(url: &str) -> Option<String> {
        web_sys::Url::new(url).ok().map(|url| url.hostname())
    }

    pub fn is_ipv6(text: &str) -> bool {
        // The URL parser ignores line breaks, so they must be rejected first.
        let is_sign = |c: char| c.is_ascii_hexdigit() || ":.".contains(c);
        text.chars().all(is_sign) && web_sys::Url::new(&format!("http://[{text}]/")).is_ok()
    }
}

#[cfg(not(feature = "hydrate"))]
mod native {
    use std::net::Ipv6Addr;

    pub fn lowercase(letter: char) -> String {
        letter.to_lowercase().collect()
    }

    pub fn uppercase(letter: char) -> String {
        letter.to_uppercase().collect()
    }

    pub fn is_letter(sign: char) -> bool {
        sign.is_alphanumeric()
    }

    /// Folds a text for search as [`protocol::words`] requires.
    pub fn folded(text: &str) -> String {
        #[cfg(feature = "ssr")]
        return chat::folded(text);
        #[cfg(not(feature = "ssr"))]
        text.to_lowercase()
    }

    /// Returns the host that browsers open for an address.
    pub fn opened_host(url: &str) -> Option<String> {
        url::Url::parse(url).ok()?.host_str().map(str::to_owned)
    }

    pub fn is_ipv6(text: &str) -> bool {
        text.parse::<Ipv6Addr>().is_ok()
    }
}
