//! The field for a code of an authenticator app, or for a recovery code.

use leptos::html::Input;
use leptos::prelude::*;

use super::field::{FieldKind, TextField};
use crate::language::use_texts;

/// The field. Phones show a keyboard of digits, which a button replaces where recovery codes are
/// accepted. Only a page with scripts requests that keyboard, because without scripts no button
/// could bring the letters back.
#[component]
pub fn CodeField(
    kind: FieldKind,
    node_ref: NodeRef<Input>,
    /// The error, if any.
    error: Signal<Option<String>>,
) -> impl IntoView {
    let t = use_texts().language.two_step();
    let by_letters = RwSignal::new(false);
    // Effects run in the browser only.
    Effect::new(move |_| {
        if let Some(field) = node_ref.get() {
            let keyboard = if by_letters.get() { "text" } else { "numeric" };
            _ = field.set_attribute("inputmode", keyboard);
        }
    });
    let use_letters = move |_| {
        by_letters.set(true);
        if let Some(field) = node_ref.get_untracked() {
            _ = field.focus();
        }
    };
    view! {
        <div>
            <TextField kind=kind node_ref=node_ref value=String::new() error=error />
            {(kind == FieldKind::Code).then(|| view! {
                <button class="button-quiet touch-only mt-1" type="button" on:click=use_letters class:hidden=move || by_letters.get()>
                    {t.use_recovery_code}
                </button>
            })}
        </div>
    }
}
