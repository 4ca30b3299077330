//! What this browser tells of messages that come while nobody looks: a part of the settings. Each
//! choice holds at once and needs no form; without scripts there is nothing to choose.

use leptos::html::Input;
use leptos::prelude::*;

use crate::attention::Attention;
use crate::attention::choices::{Permission, choose_notices, choose_sound, choose_text};
use crate::language::use_texts;
use crate::state::use_state;

/// The three choices.
#[component]
pub fn NotificationChoices() -> impl IntoView {
    let (t, attention) = (use_texts(), use_state().attention);
    let allowed = move || attention.permission.get();
    let possible = move || matches!(allowed(), Permission::Asks | Permission::Granted);
    let shown = Signal::derive(move || {
        attention.choices.get().notices == Some(true) && allowed() == Permission::Granted
    });
    let why = Signal::derive(move || match allowed() {
        Permission::Denied => t.notices_denied,
        Permission::Missing => t.notices_missing,
        Permission::Asks | Permission::Granted => t.show_notices_help,
    });
    view! {
        <fieldset class="choices">
            <legend class="sr-only">{t.notifications}</legend>
            <Choice
                name="notices"
                label=t.show_notices
                help=why
                on=shown
                possible=Signal::derive(possible)
                choose=choose_notices
            />
            <Choice
                name="notice-text"
                label=t.show_text
                help=t.show_text_help
                on=Signal::derive(move || attention.choices.get().text)
                possible=shown
                choose=choose_text
            />
            <Choice
                name="sound"
                label=t.play_sound
                help=t.play_sound_help
                on=Signal::derive(move || attention.choices.get().sound)
                possible=true
                choose=choose_sound
            />
        </fieldset>
    }
}

/// One switch with its words.
#[component]
fn Choice(
    /// What it is called in the page.
    name: &'static str,
    /// What it is called by people.
    label: &'static str,
    /// What it means, or why it cannot be had.
    #[prop(into)]
    help: Signal<&'static str>,
    /// How it stands.
    #[prop(into)]
    on: Signal<bool>,
    /// Whether it can be changed.
    #[prop(into)]
    possible: Signal<bool>,
    /// Changes it.
    choose: fn(Attention, bool),
) -> impl IntoView {
    let attention = use_state().attention;
    let switch = NodeRef::<Input>::new();
    // Each time, also when nothing changed: what was not granted must not look as if it were.
    Effect::new(move |_| {
        let on = on.get();
        if let Some(switch) = switch.get() {
            switch.set_checked(on);
        }
    });
    let help_id = format!("{name}-help");
    view! {
        <div class="choice">
            <label>
                <span class="font-medium">{label}</span>
                <input
                    type="checkbox"
                    role="switch"
                    name=name
                    aria-describedby=help_id.clone()
                    node_ref=switch
                    disabled=move || !possible.get()
                    on:change=move |event| choose(attention, event_target_checked(&event))
                />
            </label>
            <p class="field-help" id=help_id>{move || help.get()}</p>
        </div>
    }
}
