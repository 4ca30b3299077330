//! The notification settings of this browser, a section of the settings page. A change applies at
//! once and posts no form. Without scripts the switches are disabled.

use leptos::html::Input;
use leptos::prelude::*;

use crate::browser::stored_choices::{choose_notices, choose_sound, choose_text};
use crate::language::use_texts;
use crate::notifications::Notifications;
use crate::notifications::choices::Permission;
use crate::state::use_state;

#[component]
pub fn NotificationChoices() -> impl IntoView {
    let (t, notifications) = (use_texts(), use_state().notifications);
    let allowed = move || notifications.permission.get();
    let possible = move || matches!(allowed(), Permission::Asks | Permission::Granted);
    let shown = Signal::derive(move || {
        notifications.choices.get().notices == Some(true) && allowed() == Permission::Granted
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
                on=Signal::derive(move || notifications.choices.get().text)
                possible=shown
                choose=choose_text
            />
            <Choice
                name="sound"
                label=t.play_sound
                help=t.play_sound_help
                on=Signal::derive(move || notifications.choices.get().sound)
                possible=true
                choose=choose_sound
            />
        </fieldset>
    }
}

/// A switch with label and help.
#[component]
fn Choice(
    /// The name of the input.
    name: &'static str,
    label: &'static str,
    /// Its meaning, or why the setting is unavailable.
    #[prop(into)]
    help: Signal<&'static str>,
    #[prop(into)] on: Signal<bool>,
    /// Whether the setting can be changed.
    #[prop(into)]
    possible: Signal<bool>,
    /// Applies a change.
    choose: fn(Notifications, bool),
) -> impl IntoView {
    let notifications = use_state().notifications;
    let switch = NodeRef::<Input>::new();
    // Runs on every update, even without a change: the switch must not stay on if permission was
    // denied.
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
                    on:change=move |event| choose(notifications, event_target_checked(&event))
                />
            </label>
            <p class="field-help" id=help_id>{move || help.get()}</p>
        </div>
    }
}
