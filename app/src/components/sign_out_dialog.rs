//! The dialog at sign-out: whether to delete the drafts and unsent messages that this browser
//! keeps. The next user of this browser could read them, and deleting them loses text, so only the
//! user can decide. Opened by [`super::ProfileBar`] if there is unsent text.

use leptos::html::Dialog;
use leptos::prelude::*;

use crate::language::use_texts;
use crate::live::Unsent;

/// The user's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Sign out and delete the unsent text.
    Delete,
    /// Sign out and keep the unsent text for the next sign-in.
    Keep,
}

/// The state of the dialog.
#[derive(Clone, Copy)]
pub struct SignOutState {
    /// The unsent text; `None` while the dialog is closed.
    pub unsent: RwSignal<Option<Unsent>>,
    /// Called with the decision; not called if the user cancels.
    pub decided: Callback<Decision>,
    /// Why signing out failed. An error closes the dialog.
    pub problem: RwSignal<Option<String>>,
}

/// The dialog, opened on mount.
pub(super) fn dialog(leaving: SignOutState, unsent: Unsent) -> AnyView {
    view! { <SignOutDialog leaving=leaving unsent=unsent /> }.into_any()
}

#[component]
fn SignOutDialog(leaving: SignOutState, unsent: Unsent) -> impl IntoView {
    let texts = use_texts();
    let t = &texts.leaving;
    let dialog = NodeRef::<Dialog>::new();
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            // Fails only if the dialog is already open.
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
    // The dialog stays open while the page navigates away: closing it calls `history.back()` a
    // moment later, which would cancel the navigation.
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
