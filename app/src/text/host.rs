//! Shows which host a web address really names. Letters of another alphabet can look Latin, and
//! text before an `@` is not the host. Pure and identical on server and browser. Used for display
//! only, so it does not implement every rule of internationalised names.

use super::browser::lowercase;

/// Returns the host in ASCII, if the address as written may look like another one.
pub(super) fn real(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let (named, host) =
        authority.rsplit_once('@').map_or((false, authority), |(_, host)| (true, host));
    if !named && host.is_ascii() {
        return None;
    }
    // The colons of an IPv6 address do not start a port.
    let port = host.find(']').unwrap_or(0);
    let host = host[port..].find(':').map_or(host, |colon| &host[..port + colon]);
    // Per character, as browsers do: no character depends on its neighbours.
    let host: String = host.chars().map(lowercase).collect();
    // Browsers treat all of these as dots.
    let labels: Vec<String> = host.split(['.', '。', '．', '｡']).map(label).collect();
    Some(labels.join("."))
}

fn label(label: &str) -> String {
    // DNS allows no longer labels.
    if label.is_ascii() || label.chars().count() > 63 {
        return label.to_owned();
    }
    format!("xn--{}", punycode(label))
}

/// Encodes a label by RFC 3492: the ASCII letters, then the position and value of the others.
fn punycode(label: &str) -> String {
    let letters: Vec<u32> = label.chars().map(u32::from).collect();
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).unwrap_or(0);
    let mut done = basic;
    if basic > 0 {
        out.push('-');
    }
    let (mut next, mut delta, mut bias) = (128, 0, 72);
    while let Some(least) = letters.iter().copied().filter(|letter| *letter >= next).min() {
        delta += (least - next) * (done + 1);
        for letter in &letters {
            if *letter < least {
                delta += 1;
            } else if *letter == least {
                write_number(&mut out, delta, bias);
                done += 1;
                bias = adapted(delta, done, done - 1 == basic);
                delta = 0;
            }
        }
        delta += 1;
        next = least + 1;
    }
    out
}

/// Writes a variable-length integer of RFC 3492.
fn write_number(out: &mut String, mut number: u32, bias: u32) {
    let mut k: u32 = 36;
    loop {
        let threshold = k.saturating_sub(bias).clamp(1, 26);
        if number < threshold {
            break;
        }
        out.push(digit(threshold + (number - threshold) % (36 - threshold)));
        number = (number - threshold) / (36 - threshold);
        k += 36;
    }
    out.push(digit(number));
}

fn adapted(delta: u32, done: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / done;
    let mut k = 0;
    while delta > 455 {
        delta /= 35;
        k += 36;
    }
    k + 36 * delta / (delta + 38)
}

fn digit(number: u32) -> char {
    // RFC 3492 orders letters before digits.
    char::from_digit((number + 10) % 36, 36).unwrap_or('a')
}

#[cfg(test)]
mod tests {
    use super::real;

    #[test]
    fn a_host_with_non_latin_letters_is_shown_in_ascii() {
        let cases = [
            ("https://müller.de/a", Some("xn--mller-kva.de")),
            ("http://bücher.example:8080?q", Some("xn--bcher-kva.example")),
            // The first letter is Cyrillic.
            ("https://аpple.com", Some("xn--pple-43d.com")),
            ("https://пример.рф/", Some("xn--e1afmkfd.xn--p1ai")),
            ("https://例え。テスト", Some("xn--r8jz45g.xn--zckzah")),
            ("https://BÜCHER.example", Some("xn--bcher-kva.example")),
            ("https://bank.example@evil.example/", Some("evil.example")),
            ("https://bank.example@[2001:db8::1]:3000/", Some("[2001:db8::1]")),
            ("https://[2001:db8::1]:3000/", None),
            ("https://example.org/ä?ö=ü", None),
            ("mailto:a@example.org", None),
        ];
        for (url, host) in cases {
            assert_eq!(real(url).as_deref(), host, "{url}");
        }
    }
}
