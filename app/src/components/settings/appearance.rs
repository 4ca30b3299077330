//! Theme, language and clock: stored in this browser, and applied at once.

use leptos::ev::Event;
use leptos::html::Form;
use leptos::prelude::*;

use super::{PlainSave, SettingsSection};
use crate::bootstrap::use_bootstrap;
use crate::language::{Language, use_texts};
use crate::paths;
use crate::preferences::{Hours, Theme};

/// The three settings. Each value is a word of [`crate::preferences::Preferences::parse`]; an empty
/// value follows the browser.
#[component]
pub fn Appearance() -> impl IntoView {
    let (t, preferences) = (use_texts(), use_bootstrap().preferences);
    let form = NodeRef::<Form>::new();
    let on_change = move |_: Event| {
        #[cfg(feature = "hydrate")]
        if let Some(form) = form.get_untracked() {
            live::choose(preferences, &form);
        }
        // Stub for the server.
        #[cfg(not(feature = "hydrate"))]
        let _ = form;
    };
    let theme = preferences.theme.map_or("", Theme::name);
    let hours = preferences.hours.map_or("", Hours::cycle);
    let language = preferences.language.map_or("", Language::tag);
    let languages = Language::ALL.map(|language| (language.tag(), language.own_name()));
    view! {
        <SettingsSection id="appearance" title=t.appearance>
            <form node_ref=form class="flex flex-col gap-5" method="post" action=paths::SET_PREFERENCES on:change=on_change>
                <Segments name="theme" label=t.theme chosen=theme options=[("", t.as_the_system), ("light", t.light), ("dark", t.dark)] />
                <div class="field">
                    <label for="language">{t.page_language}</label>
                    <select id="language" name="language" autocomplete="off">
                        <option value="" selected=language.is_empty()>{t.as_the_browser}</option>
                        {languages.map(|(tag, name)| view! {
                            <option value=tag lang=tag selected=tag == language>{name}</option>
                        }).into_iter().collect_view()}
                    </select>
                </div>
                <Segments name="hours" label=t.clock chosen=hours options=[("", t.as_the_language), ("h12", t.twelve_hours), ("h23", t.twenty_four_hours)] />
                <PlainSave />
            </form>
        </SettingsSection>
    }
}

/// A radio group, displayed as segments.
#[component]
fn Segments(
    /// The name in the form.
    name: &'static str,
    label: &'static str,
    /// The selected value.
    chosen: &'static str,
    /// Values and their labels.
    options: [(&'static str, &'static str); 3],
) -> impl IntoView {
    view! {
        <fieldset class="segments">
            <legend>{label}</legend>
            <div class="segments-row">
                {options.map(|(value, words)| view! {
                    <label>
                        <input type="radio" name=name value=value checked=value == chosen autocomplete="off" />
                        <span>{words}</span>
                    </label>
                }).into_iter().collect_view()}
            </div>
        </fieldset>
    }
}

#[cfg(feature = "hydrate")]
mod live {
    use leptos::prelude::{document, window};
    use wasm_bindgen::JsCast;
    use web_sys::{Element, FormData, HtmlDocument, HtmlFormElement};

    use crate::dom;
    use crate::preferences::{Preferences, Theme};

    /// Stores the choice. A theme applies immediately; another language or clock reloads the page,
    /// which keeps drafts.
    pub fn choose(rendered: Preferences, form: &HtmlFormElement) {
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
        let is_dark =
            window().match_media(system).ok().flatten().is_some_and(|query| query.matches());
        for meta in dom::all(root, "meta[name=theme-color]") {
            let dark = meta.get_attribute("media").map_or(is_dark, |media| media == system);
            let theme = chosen.unwrap_or(if dark { Theme::Dark } else { Theme::Light });
            _ = meta.set_attribute("content", theme.colour());
        }
    }
}
