//! Whether this browser stores messages. A setting of the browser, applied at once and without a
//! form.

use leptos::prelude::*;

use crate::browser::offline_copies;
use crate::language::use_texts;
use crate::state::use_state;

#[component]
pub fn OfflineCopies() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let keeps = RwSignal::new(false);
    // The setting is known after hydration, because only the browser stores it.
    Effect::new(move |_| {
        if state.live.get() {
            keeps.set(offline_copies::is_chosen(state));
        }
    });
    view! {
        <div class="choice">
            <label>
                <span class="font-medium">{t.account().keep_messages}</span>
                <input
                    type="checkbox"
                    role="switch"
                    name="keep-messages"
                    aria-describedby="keep-messages-help"
                    prop:checked=move || keeps.get()
                    disabled=move || !state.live.get()
                    on:change=move |event| keeps.set(offline_copies::choose(state, event_target_checked(&event)))
                />
            </label>
            <p class="field-help" id="keep-messages-help">{t.account().keep_messages_help}</p>
        </div>
    }
}
