//! What signed in, told from what a browser says of itself. Only for a person to tell their own
//! sessions apart: nothing is decided by it, and it can be forged.

/// Browser and system: "Firefox · Linux". The names are the makers', so they need no translation.
/// What is not recognised is left out; nothing that a browser wrote is passed on.
pub fn device(user_agent: &str) -> String {
    let first = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| user_agent.contains(sign)).map(|(_, name)| *name)
    };
    let parts = [first(&BROWSERS), first(&SYSTEMS)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Browsers by what only they say. Those built on another one come before it, since they say its
/// name too.
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

/// Systems; those that say they are like another come before it.
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
    use super::device;

    #[test]
    fn browsers_and_systems_are_recognised_and_nothing_else_is_passed_on() {
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
        for (said, expected) in cases {
            assert_eq!(device(said), expected, "{said}");
        }
    }

    #[test]
    fn a_label_is_short_whatever_was_said() {
        let all: String =
            super::BROWSERS.iter().chain(&super::SYSTEMS).map(|(sign, _)| *sign).collect();
        for said in [all, "Samsung SamsungBrowser/ ChromeOS CrOS".repeat(1_000)] {
            assert!(device(&said).chars().count() <= 60, "{}", device(&said));
        }
    }
}
