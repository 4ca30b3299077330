//! The HTML document around the application: its head, the inline script, the tags that load the
//! program. Server only; `server` passes [`shell`] to Leptos.

use std::sync::LazyLock;

use leptos::prelude::*;
use leptos::tachys::html::InertElement;
use leptos_meta::{HashedStylesheet, MetaTags};

use crate::language::Language;
use crate::preferences::Theme;
use crate::{App, ROOT_ID, content_security_policy, request};

/// The inline script, without comments and indentation: supervises the start of the page, and moves
/// the focus.
static PAGE_SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("page.js").lines().chain(include_str!("page_focus.js").lines());
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with("//");
    let code = lines.map(str::trim).filter(is_code);
    code.collect::<Vec<_>>().join("\n")
});

/// The document around the application. Also sets the page's content security policy.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    if let Some(nonce) = leptos::nonce::use_nonce() {
        let watched = std::env::var_os("LEPTOS_WATCH").is_some();
        let port = options.reload_external_port.unwrap_or(options.reload_port);
        content_security_policy::set(&nonce, watched.then_some(port));
    }
    let (preferences, language, build, addresses) =
        (request::preferences(), request::language(), request::build(), request::addresses());
    view! {
        <!DOCTYPE html>
        <html
            lang=language.tag()
            dir=language.direction()
            data-theme=preferences.theme.map(Theme::name)
            data-language=language.tag()
            data-zone=request::zone()
        >
            <head>
                <meta charset="utf-8" />
                <meta
                    name="viewport"
                    content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content"
                />
                <meta name="color-scheme" content="light dark" />
                // Blocks rendering until the page is complete and the script has set the scroll
                // position.
                <link rel="expect" href="#page-script" blocking="render" />
                {theme_colours(preferences.theme)}
                <meta name="build" content=build />
                <meta name="addresses" content=addresses.to_string() />
                <meta name="description" content="Duet, a private chat for two." />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="apple-touch-icon" href="/icons/apple-touch-icon.png" />
                <link rel="manifest" href="/manifest.webmanifest" />
                <HashedStylesheet options=options.clone() id="leptos" />
                <AutoReload options=options.clone() />
                {program(options)}
                <MetaTags />
            </head>
            <body>
                <div id=ROOT_ID>
                    <App />
                </div>
                {wrong_address(language, &addresses)}
                {page_script()}
            </body>
        </html>
    }
}

/// The notice with the right address, on a page opened under a wrong one. `page.js` shows the
/// notice once the server has refused a call. The server cannot decide: only the browser has the
/// address in use, and a working proxy may rewrite `Host` and `Origin`.
fn wrong_address(language: Language, addresses: &str) -> impl IntoView + use<> {
    let t = language.texts();
    let address = addresses.split(' ').next().unwrap_or_default().to_owned();
    let (before, after) = t.wrong_address.split_once("{}").unwrap_or((t.wrong_address, ""));
    view! {
        <div id="wrong-address" class="banners" role="alert" hidden=true>
            <p class="banner is-bad">
                <span>{before}<a class="link" href=address.clone()>{address.clone()}</a>{after}" "{t.wrong_address_owner}</span>
            </p>
        </div>
    }
}

/// The tags that fetch and start the program, once the browser is idle.
///
/// Leptos' tags also preload the WebAssembly, which is thirty times as large as the styles and
/// would take the bandwidth that the first picture needs. The page can be read and used before.
fn program(options: LeptosOptions) -> impl IntoView {
    let tags = view! { <HydrationScripts options defer=true /> }.to_html();
    InertElement::new(without_wasm_preload(&tags))
}

/// Leaves the preload of the WebAssembly out of tags.
fn without_wasm_preload(tags: &str) -> String {
    let is_preload = |tag: &str| tag.starts_with("<link ") && tag.contains(".wasm");
    tags.split_inclusive('>').filter(|tag| !is_preload(tag)).collect()
}

/// The script that decides how the page starts. Inline, because the script must watch the page from
/// the beginning of parsing, and react if the WebAssembly does not load.
fn page_script() -> impl IntoView {
    view! { <script id="page-script" nonce=leptos::nonce::use_nonce()>{PAGE_SCRIPT.as_str()}</script> }
}

/// The colour of the browser's own bars, by the theme in force.
fn theme_colours(chosen: Option<Theme>) -> impl IntoView {
    let colour = |theme| {
        let meta = leptos::html::meta().name("theme-color").content(Theme::colour(theme));
        let system = format!("(prefers-color-scheme: {})", Theme::name(theme));
        match chosen {
            None => Some(meta.attr("media", Some(system))),
            Some(chosen) => (chosen == theme).then(|| meta.attr("media", None::<String>)),
        }
    };
    (colour(Theme::Light), colour(Theme::Dark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_does_not_preload_the_webassembly() {
        let owner = Owner::new();
        let tags = owner.with(|| {
            let options = LeptosOptions::builder().output_name("duet").build();
            view! { <HydrationScripts options defer=true /> }.to_html()
        });
        assert!(tags.contains("rel=\"preload\""), "{tags}");
        let kept = without_wasm_preload(&tags);
        assert!(!kept.contains("rel=\"preload\""), "{kept}");
        let rest = [
            "rel=\"modulepreload\"",
            "<script type=\"module\"",
            "requestIdleCallback",
            "</script>",
        ];
        for tag in rest {
            assert!(kept.contains(tag), "{kept}");
        }
    }
}
