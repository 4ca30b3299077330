//! What other users may see; each setting is mutual.

use leptos::ev::Event;
use leptos::html::Form;
use leptos::prelude::*;
use protocol::Privacy;

use super::{OfflineCopies, Outcome, PlainSave, SettingsSection, Switch, ask};
use crate::browser::is_checked;
use crate::components::{ForWhom, FormAlert};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::set_privacy;

/// Two switches that apply at once, and [`OfflineCopies`].
#[component]
pub fn PrivacyChoices(privacy: Privacy) -> impl IntoView {
    let t = use_texts();
    let outcome = RwSignal::new(Outcome::Untouched);
    let form = NodeRef::<Form>::new();
    let on_change = move |_: Event| {
        if let Some(form) = form.get_untracked() {
            let is_on = |name| is_checked(&form, name);
            ask(outcome, set_privacy(is_on("receipts"), is_on("last_seen")), |()| {});
        }
    };
    view! {
        <SettingsSection id="privacy" title=t.account().privacy>
            <form node_ref=form class="choices" method="post" action=paths::SET_PRIVACY on:change=on_change>
                <ForWhom />
                <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
                <Switch name="receipts" label=t.account().read_receipts help=t.account().read_receipts_help on=privacy.receipts />
                <Switch name="last_seen" label=t.account().show_last_seen help=t.account().show_last_seen_help on=privacy.last_seen />
                <PlainSave />
            </form>
            <OfflineCopies />
        </SettingsSection>
    }
}
