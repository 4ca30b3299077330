//! The question at signing out: what becomes of drafts and unsent messages that this browser keeps.
//! The next person at this browser could read them, and deleting them loses what was written, so
//! only the person can decide. Opened by [`super::ProfileBar`] when there is something.

use leptos::html::Dialog;
use leptos::prelude::*;

use crate::language::use_texts;
use crate::live::Unsent;

/// What the person decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Delete it, and sign out.
    Delete,
    /// Keep it for the next sign-in, and sign out.
    Keep,
}

/// What the question is about, and who hears the answer.
#[derive(Clone, Copy)]
pub struct Leaving {
    /// What there is; nothing while nobody asks.
    pub unsent: RwSignal<Option<Unsent>>,
    /// Told of the decision; of a cancelled question nobody is told.
    pub decided: Callback<Decision>,
    /// Why nothing came of it. The question is closed then.
    pub problem: RwSignal<Option<String>>,
}

/// The open dialog.
pub(super) fn dialog(leaving: Leaving, unsent: Unsent) -> AnyView {
    view! { <LeavingDialog leaving=leaving unsent=unsent /> }.into_any()
}

#[component]
fn LeavingDialog(
    /// Who hears the answer.
    leaving: Leaving,
    /// What there is.
    unsent: Unsent,
) -> impl IntoView {
    let texts = use_texts();
    let t = &texts.leaving;
    let dialog = NodeRef::<Dialog>::new();
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            // Refused only when it is open already.
            _ = dialog.show_modal();
        }
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    Effect::new(move |_| {
        if leaving.problem.with(Option::is_some) {
            close();
        }
    });
    // It stays open while one leaves: closing it would take back a step of the history a moment later,
    // and with it the way to the next page.
    let decide = move |decision| leaving.decided.run(decision);
    let line = |count: u32, of| (count > 0).then(|| view! { <li>{texts.count(of, count)}</li> });
    view! {
        <dialog
            node_ref=dialog
            class="sheet is-question"
            aria-labelledby="leaving-title"
            aria-describedby="leaving-explain"
            on:click=move |event| if event.target() == event.current_target() { close() }
            on:close=move |_| leaving.unsent.set(None)
        >
            <div class="question">
                <h2 id="leaving-title" class="text-lg font-semibold">{t.title}</h2>
                <ul>{line(unsent.messages, t.messages)} {line(unsent.drafts, t.drafts)}</ul>
                <p id="leaving-explain">{t.explain}</p>
                <div class="question-answers">
                    <button class="button-primary" type="button" on:click=move |_| decide(Decision::Delete)>{t.delete}</button>
                    <button class="button-quiet" type="button" on:click=move |_| decide(Decision::Keep)>{t.keep}</button>
                    <button class="button-quiet" type="button" on:click=move |_| close()>{t.stay}</button>
                </div>
            </div>
        </dialog>
    }
}
