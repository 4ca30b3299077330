//! The part of the sign-in page for passkeys: a button, and passkeys offered in the field for the
//! username where the browser can do that. Works only with scripts, so the part is hidden without.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::sign_in::leave_for;
use crate::browser::{after, can_fill_passkeys, has_passkeys};
use crate::components::FormAlert;
use crate::language::use_texts;
use crate::passkeys::{PasskeyCall, PasskeyError, PasskeyFailure, answer};
use crate::server_fns::{begin_passkey_sign_in, sign_in_with_passkey};

/// How long passkeys are offered in the field before a new ceremony begins: less than the five
/// minutes after which the server refuses the ceremony.
const RENEW_AFTER: Duration = Duration::from_secs(4 * 60);

/// The button.
#[component]
pub(super) fn PasskeySignIn(
    /// The path to open after signing in.
    next: String,
) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.passkeys();
    let sign_in = PasskeySignInState {
        next: StoredValue::new(next),
        error: RwSignal::new(None),
        busy: RwSignal::new(false),
    };
    // Known after hydration only.
    let lacks_passkeys = RwSignal::new(false);
    Effect::new(move |_| {
        lacks_passkeys.set(!has_passkeys());
        sign_in.offer();
    });
    let PasskeySignInState { error, busy, .. } = sign_in;
    view! {
        <div class="needs-scripts mt-4 flex flex-col gap-4" class:hidden=move || lacks_passkeys.get()>
            <FormAlert text=Signal::derive(move || error.get().map(|error| error.message(t))) />
            <button
                class="button-quiet is-edged"
                type="button"
                aria-disabled=move || busy.get().then_some("true")
                on:click=move |_| sign_in.begin()
            >
                {move || if busy.get() { texts.waiting } else { texts.sign_in }}
            </button>
        </div>
    }
}

#[derive(Clone, Copy)]
struct PasskeySignInState {
    next: StoredValue<String>,
    error: RwSignal<Option<PasskeyError>>,
    /// Whether the button's ceremony waits for an answer.
    busy: RwSignal<bool>,
}

impl PasskeySignInState {
    /// Signs in with a passkey that the browser asks for.
    fn begin(self) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.error.set(None);
        spawn_local(async move {
            if let Err(error) = self.sign_in(PasskeyCall::Get).await {
                _ = self.busy.try_set(false);
                _ = self.error.try_set(Some(error));
                // The button's call has ended the offer in the field.
                self.offer();
            }
        });
    }

    /// Offers passkeys in the field for the username, again and again, until one is chosen.
    fn offer(self) {
        spawn_local(async move {
            if !can_fill_passkeys().await {
                return;
            }
            after(RENEW_AFTER, move || {
                // The page may have been left, and a new call would end that of the button.
                if self.busy.try_get_untracked() == Some(false) {
                    self.offer();
                }
            });
            if let Err(PasskeyError::Server(error)) = self.sign_in(PasskeyCall::Fill).await {
                _ = self.error.try_set(Some(PasskeyError::Server(error)));
            }
        });
    }

    async fn sign_in(self, call: PasskeyCall) -> Result<(), PasskeyError> {
        let begun = begin_passkey_sign_in().await;
        // An offer that cannot begin is not worth an alert, because nobody has asked for it.
        let begun = match (begun, call) {
            (Err(_), PasskeyCall::Fill) => return Err(PasskeyFailure::Failed.into()),
            (begun, _) => begun?,
        };
        sign_in_with_passkey(answer(call, begun).await?).await?;
        leave_for(&self.next.try_get_value().unwrap_or_default());
        Ok(())
    }
}
