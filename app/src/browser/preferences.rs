//! Stores theme, language and clock in this browser, and applies them. Browser only.

use leptos::prelude::{document, window};
use wasm_bindgen::JsCast;
use web_sys::{Element, FormData, HtmlDocument, HtmlFormElement};

use super::dom;
use crate::preferences::{Preferences, Theme};

/// Stores the choice. A theme applies immediately; another language or clock reloads the page,
/// which keeps drafts.
pub fn choose_preferences(rendered: Preferences, form: &HtmlFormElement) {
    let Ok(data) = FormData::new_with_form(form) else { return };
    let value = |name| data.get(name).as_string().unwrap_or_default();
    let words = [value("theme"), value("language"), value("hours")].join(".");
    let preferences = Preferences::parse(&words);
    let secure = window().location().protocol().is_ok_and(|protocol| protocol == "https:");
    if let Ok(document) = document().dyn_into::<HtmlDocument>() {
        // Fails only if cookies are disabled; the choice then lasts until the page is left.
        _ = document.set_cookie(&preferences.cookie(secure));
    }
    if (preferences.language, preferences.hours) != (rendered.language, rendered.hours) {
        _ = window().location().reload();
    } else if let Some(root) = document().document_element() {
        _ = match preferences.theme.map(Theme::name) {
            Some(theme) => root.set_attribute("data-theme", theme),
            None => root.remove_attribute("data-theme"),
        };
        colour_bars(&root, preferences.theme);
    }
}

/// Updates the colour of the browser's own bars. Without a chosen theme each `meta` element has
/// the colour of its own theme; a page rendered with a single element gets that of the system's
/// theme.
fn colour_bars(root: &Element, chosen: Option<Theme>) {
    let system = "(prefers-color-scheme: dark)";
    let is_dark = window().match_media(system).ok().flatten().is_some_and(|query| query.matches());
    for meta in dom::all(root, "meta[name=theme-color]") {
        let dark = meta.get_attribute("media").map_or(is_dark, |media| media == system);
        let theme = chosen.unwrap_or(if dark { Theme::Dark } else { Theme::Light });
        _ = meta.set_attribute("content", theme.colour());
    }
}
