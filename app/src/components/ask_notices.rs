//! The question whether notifications are wanted, over the list: asked once a message came that
//! the person did not see, and they are back.

use leptos::prelude::*;

use crate::attention::choices::choose_notices;
use crate::language::use_texts;
use crate::state::use_state;

/// The bar; hidden unless it is the moment.
#[component]
pub fn AskNotices() -> impl IntoView {
    let (t, attention) = (use_texts(), use_state().attention);
    view! {
        <div class="ask-notices" role="status" class:hidden=move || !attention.asking.get()>
            <p class="min-w-0 flex-1 font-medium">{t.ask_notices}</p>
            <button class="button-quiet" type="button" on:click=move |_| choose_notices(attention, false)>
                {t.not_now}
            </button>
            <button class="button-quiet is-wanted" type="button" on:click=move |_| choose_notices(attention, true)>
                {t.turn_on}
            </button>
        </div>
    }
}
