//! What other users may see; each setting is mutual.

use leptos::ev::Event;
use leptos::html::Form;
use leptos::prelude::*;
use protocol::Privacy;

#[cfg(feature = "hydrate")]
use super::ask;
use super::{KeepOnDevice, Outcome, PlainSave, SettingsSection, Switch};
use crate::components::{ForWhom, FormAlert};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
#[cfg(feature = "hydrate")]
use crate::server_fns::set_privacy;

/// Two switches that apply at once, and [`KeepOnDevice`].
#[component]
pub fn PrivacyChoices(privacy: Privacy) -> impl IntoView {
    let t = use_texts();
    let outcome = RwSignal::new(Outcome::Untouched);
    let form = NodeRef::<Form>::new();
    let on_change = move |_: Event| {
        #[cfg(feature = "hydrate")]
        if let Some(form) = form.get_untracked() {
            let (receipts, last_seen) = (is_on(&form, "receipts"), is_on(&form, "last_seen"));
            ask(outcome, set_privacy(receipts, last_seen), |()| {});
        }
        // Stub for the server.
        #[cfg(not(feature = "hydrate"))]
        let _ = form;
    };
    view! {
        <SettingsSection id="privacy" title=t.privacy>
            <form node_ref=form class="choices" method="post" action=paths::SET_PRIVACY on:change=on_change>
                <ForWhom />
                <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
                <Switch name="receipts" label=t.read_receipts help=t.read_receipts_help on=privacy.receipts />
                <Switch name="last_seen" label=t.show_last_seen help=t.show_last_seen_help on=privacy.last_seen />
                <PlainSave />
            </form>
            <KeepOnDevice />
        </SettingsSection>
    }
}

#[cfg(feature = "hydrate")]
fn is_on(form: &web_sys::HtmlFormElement, name: &str) -> bool {
    use wasm_bindgen::JsCast;

    form.elements()
        .named_item(name)
        .and_then(|element| element.dyn_into::<web_sys::HtmlInputElement>().ok())
        .is_some_and(|input| input.checked())
}
