//! Theme, language and clock: stored in this browser, and applied at once.

use leptos::ev::Event;
use leptos::html::Form;
use leptos::prelude::*;

use super::{PlainSave, SettingsSection};
use crate::bootstrap::use_bootstrap;
use crate::browser::choose_preferences;
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
        if let Some(form) = form.get_untracked() {
            choose_preferences(preferences, &form);
        }
    };
    let theme = preferences.theme.map_or("", Theme::name);
    let hours = preferences.hours.map_or("", Hours::cycle);
    let language = preferences.language.map_or("", Language::tag);
    let languages = Language::ALL.map(|language| (language.tag(), language.own_name()));
    view! {
        <SettingsSection id="appearance" title=t.account().appearance>
            <form node_ref=form class="flex flex-col gap-5" method="post" action=paths::SET_PREFERENCES on:change=on_change>
                <Segments name="theme" label=t.theme chosen=theme options=[("", t.account().as_the_system), ("light", t.account().light), ("dark", t.account().dark)] />
                <div class="field">
                    <label for="language">{t.account().page_language}</label>
                    <select id="language" name="language" autocomplete="off">
                        <option value="" selected=language.is_empty()>{t.account().as_the_browser}</option>
                        {languages.map(|(tag, name)| view! {
                            <option value=tag lang=tag selected=tag == language>{name}</option>
                        }).into_iter().collect_view()}
                    </select>
                </div>
                <Segments name="hours" label=t.account().clock chosen=hours options=[("", t.account().as_the_language), ("h12", t.account().twelve_hours), ("h23", t.account().twenty_four_hours)] />
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
