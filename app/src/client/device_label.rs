//! Derives a session's label from the `User-Agent` header. Only helps users to tell their sessions
//! apart; the header can be forged, so no decision may depend on it.

/// Browser and system, such as "Firefox · Linux". Product names need no translation. Unknown parts
/// are omitted, and no text of the header is copied.
pub fn device_label(user_agent: &str) -> String {
    let first = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    let parts = [first(&BROWSERS), first(&SYSTEMS)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Browsers by a token of their `User-Agent`. A derived browser comes first, because its header
/// also contains the token of its base.
const BROWSERS: [(&str, &str); 13] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Epiphany/", "Web"),
    ("Safari/", "Safari"),
];

/// Systems by their token. A system whose header also names another one comes first.
const SYSTEMS: [(&str, &str); 9] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("BSD", "BSD"),
];

#[cfg(test)]
mod tests {
    use super::device_label;

    #[test]
    fn only_known_browsers_and_systems_appear_in_a_label() {
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox · Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
                "Edge · Windows",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/141.0.0.0 Mobile Safari/537.36",
                "Chrome · Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
                "Safari · iPhone",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari · macOS",
            ),
            ("curl/8.14 (Linux)", "Linux"),
            ("<script>alert(1)</script>", ""),
            ("", ""),
        ];
        for (user_agent, expected) in cases {
            assert_eq!(device_label(user_agent), expected, "{user_agent}");
        }
    }

    #[test]
    fn a_label_is_short_for_any_user_agent() {
        let all: String =
            super::BROWSERS.iter().chain(&super::SYSTEMS).map(|(sign, _)| *sign).collect();
        for user_agent in [all, "Samsung SamsungBrowser/ ChromeOS CrOS".repeat(1_000)] {
            assert!(
                device_label(&user_agent).chars().count() <= 60,
                "{}",
                device_label(&user_agent)
            );
        }
    }
}
