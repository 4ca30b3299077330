//! Parses `DUET_LOG`. The library accepts any word as the name of a crate, so that a mistyped level
//! silently turns the log off. This module therefore checks each name first, and also limits the
//! libraries to levels at which they log no message. Called by [`super::start`].

use anyhow::{Context, Result, bail};
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::FilterFn;

use crate::spelling::suggest;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// `duet` is the root of `duet::security`, the target of the security log.
const OWN_CRATES: [&str; 5] = ["server", "chat", "app", "protocol", "duet"];
/// Dependencies that log.
const LIBRARIES: [&str; 18] = [
    "async_nats",
    "axum",
    "h2",
    "hyper",
    "hyper_util",
    "leptos",
    "leptos_axum",
    "leptos_router",
    "mio",
    "reactive_graph",
    "rustls",
    "server_fn",
    "sqlx",
    "tachys",
    "tokio_tungstenite",
    "tokio_util",
    "tower_http",
    "tungstenite",
];

/// Parses the setting.
///
/// # Errors
/// Fails if a word is neither a level nor a known crate. The message suggests a similar word.
pub(super) fn read(text: &str) -> Result<EnvFilter> {
    let directives: Vec<&str> = directives(text).collect();
    for directive in &directives {
        check(directive)?;
    }
    EnvFilter::try_new(directives.join(","))
        .with_context(|| format!("DUET_LOG: {text} cannot be read"))
}

/// Allows level trace only to Duet's own crates, regardless of the setting, because libraries log
/// whole frames at that level and therefore messages.
pub(super) fn private() -> FilterFn<fn(&Metadata<'_>) -> bool> {
    FilterFn::new(is_private)
}

fn is_private(metadata: &Metadata<'_>) -> bool {
    let (root, _) = metadata.target().split_once("::").unwrap_or((metadata.target(), ""));
    *metadata.level() < Level::TRACE || OWN_CRATES.contains(&root)
}

/// Splits at the commas outside of brackets.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c: char| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth <= 0
    })
    .map(str::trim)
    .filter(|directive| !directive.is_empty())
}

fn check(directive: &str) -> Result<()> {
    let (target, rest) = match directive.find(['[', '=']) {
        Some(at) => directive.split_at(at),
        None if is_level(directive) => return Ok(()),
        None => (directive, ""),
    };
    // The level stands after the brackets, which contain spans and their fields.
    let level = rest.rsplit(']').next().unwrap_or_default().strip_prefix('=');
    if let Some(level) = level
        && !is_level(level)
    {
        bail!("DUET_LOG: {level:?} is not a level{}. {SYNTAX}", suggestion(level, &LEVELS));
    }
    let (root, _) = target.split_once("::").unwrap_or((target, ""));
    let is_part = OWN_CRATES.contains(&root) || LIBRARIES.contains(&root);
    if is_part || (root.is_empty() && rest.starts_with('[')) {
        return Ok(());
    }
    let mut known = [OWN_CRATES.as_slice(), LIBRARIES.as_slice()].concat();
    if rest.is_empty() {
        known.extend(LEVELS);
    }
    bail!(
        "DUET_LOG: {root:?} is neither a level nor a part of Duet{}. {SYNTAX}",
        suggestion(root, &known)
    )
}

const SYNTAX: &str = "Write a level (off, error, warn, info, debug, trace), optionally after \
                      parts with their own levels: chat=debug,info";

fn suggestion(written: &str, known: &[&str]) -> String {
    suggest(written, known.iter().copied())
        .map(|name| format!(" (did you mean {name}?)"))
        .unwrap_or_default()
}

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level))
        || matches!(word, "0" | "1" | "2" | "3" | "4" | "5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_filters_are_parsed_and_typos_get_a_suggestion() {
        for right in [
            "info",
            "WARN",
            "chat=debug,info",
            "warn, server=info,",
            "server::requests=debug",
            "sqlx::query=off",
            "warn,duet::security=info",
            "[request{id=7}]=debug,info",
            "server[request]=trace",
            "chat",
        ] {
            assert!(read(right).is_ok(), "{right}");
        }
        for (wrong, named) in [
            ("ifno", "info"),
            ("inf o", "info"),
            ("chat=debgu", "debug"),
            ("sever=info", "server"),
            ("verbose", "verbose"),
            ("info,chta=debug", "chat"),
            ("=info", "neither"),
            ("chat=", "not a level"),
        ] {
            let error = read(wrong).expect_err(wrong).to_string();
            assert!(error.starts_with("DUET_LOG: ") && error.contains(named), "{wrong}: {error}");
        }
    }
}
