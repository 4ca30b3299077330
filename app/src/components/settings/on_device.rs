//! Whether this browser stores messages. A setting of the browser, applied at once and without a
//! form.

use leptos::prelude::*;

use crate::language::use_texts;
use crate::state::use_state;

#[component]
pub fn KeepOnDevice() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let keeps = RwSignal::new(false);
    // The setting is known after hydration, because only the browser stores it.
    Effect::new(move |_| {
        if state.live.get() {
            keeps.set(is_chosen(state));
        }
    });
    view! {
        <div class="choice">
            <label>
                <span class="font-medium">{t.keep_messages}</span>
                <input
                    type="checkbox"
                    role="switch"
                    name="keep-messages"
                    aria-describedby="keep-messages-help"
                    prop:checked=move || keeps.get()
                    disabled=move || !state.live.get()
                    on:change=move |event| keeps.set(choose(state, event_target_checked(&event)))
                />
            </label>
            <p class="field-help" id="keep-messages-help">{t.keep_messages_help}</p>
        </div>
    }
}

#[cfg(feature = "hydrate")]
use crate::live::device::{choose, is_chosen};
#[cfg(not(feature = "hydrate"))]
use plain::{choose, is_chosen};

/// Stubs for the server.
#[cfg(not(feature = "hydrate"))]
mod plain {
    use crate::state::State;

    pub fn choose(_: State, _: bool) -> bool {
        false
    }
    pub fn is_chosen(_: State) -> bool {
        false
    }
}
