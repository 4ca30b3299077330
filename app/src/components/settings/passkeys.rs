//! The user's passkeys: adding, renaming and removing them.

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::{PasskeyInfo, PasskeyState, PasskeySupport};

use super::confirmation::{ConfirmForm, Confirmed, proof};
use super::{Outcome, SaveButton, SettingsSection, ask};
use crate::browser::has_passkeys;
use crate::components::{FieldKind, ForWhom, TextField};
use crate::error_messages::error_message;
use crate::language::{PasskeyTexts, use_texts};
use crate::passkeys::{PasskeyCall, PasskeyError, answer};
use crate::paths;
use crate::server_fns::{add_passkey, begin_passkey, remove_passkey, rename_passkey};
use crate::state::use_state;
use crate::time;

/// The section.
#[component]
pub fn Passkeys(state: PasskeyState) -> impl IntoView {
    let texts = use_texts().language.passkeys();
    let PasskeyState { support, passkeys, .. } = state;
    let list = RwSignal::new(passkeys);
    // Known after hydration only.
    let lacks_passkeys = RwSignal::new(false);
    Effect::new(move |_| lacks_passkeys.set(!has_passkeys()));
    view! {
        <SettingsSection id="passkeys" title=texts.title help=texts.help>
            <p class:hidden=move || list.with(|list| !list.is_empty())>{texts.none}</p>
            <ul class="devices">
                <For
                    each=move || list.get()
                    // With the name, so that a renamed passkey is drawn again.
                    key=|passkey| (passkey.id, passkey.name.clone())
                    let:passkey
                >
                    <Passkey passkey=passkey list=list />
                </For>
            </ul>
            {match reason(texts, support) {
                Some(reason) => view! { <p class="text-sm text-muted">{reason}</p> }.into_any(),
                None => view! {
                    <p class="text-sm text-muted" class:hidden=move || !lacks_passkeys.get()>{texts.needs_browser}</p>
                    <details class="folded is-harmless needs-scripts" class:hidden=move || lacks_passkeys.get()>
                        <summary class="link">{texts.add}"…"</summary>
                        <Add list=list />
                    </details>
                }.into_any(),
            }}
        </SettingsSection>
    }
}

/// Why passkeys do not work at this address.
fn reason(texts: &'static PasskeyTexts, support: PasskeySupport) -> Option<&'static str> {
    match support {
        PasskeySupport::Works => None,
        PasskeySupport::NeedsHttps => Some(texts.needs_https),
        PasskeySupport::NeedsDomain => Some(texts.needs_domain),
        PasskeySupport::NeedsLocalhost => Some(texts.needs_localhost),
    }
}

/// The form that adds a passkey. The proof comes first, and then the authenticator.
#[component]
fn Add(list: RwSignal<Vec<PasskeyInfo>>) -> impl IntoView {
    let texts = use_texts().language.passkeys();
    let confirmed = Confirmed::new();
    let name = NodeRef::<Input>::new();
    let submit = Callback::new(move |password| {
        let typed = name.get_untracked().map(|field| field.value()).unwrap_or_default();
        let added = async move {
            let proof = proof(password).await?;
            let begun = begin_passkey(proof.password, proof.passkey).await?;
            let made = answer(PasskeyCall::Create, begun).await?;
            Ok::<_, PasskeyError>(add_passkey(made, typed).await?)
        };
        confirmed.ask(added, move |state| {
            list.set(state.passkeys);
            if let Some(field) = name.get_untracked() {
                field.set_value("");
            }
        });
    });
    view! {
        <ConfirmForm id="add-passkey-password" action=paths::SETTINGS confirmed=confirmed submit=submit>
            <TextField
                kind=FieldKind::PasskeyName
                id="passkey-name"
                node_ref=name
                value=String::new()
                error=Signal::derive(|| None)
            />
            <SaveButton outcome=confirmed.outcome label=texts.add busy=texts.waiting done="" />
        </ConfirmForm>
    }
}

/// One passkey of the list.
#[component]
fn Passkey(passkey: PasskeyInfo, list: RwSignal<Vec<PasskeyInfo>>) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    let texts = t.language.passkeys();
    let PasskeyInfo { id, name, created_at, used_at } = passkey;
    let when = move || {
        let short = |sentence: &str, at| sentence.replace("{}", &time::short(t, at, local.get()));
        let used = match used_at {
            Some(at) => short(texts.used, at),
            None => texts.unused.to_owned(),
        };
        format!("{}, {used}", short(texts.added, created_at))
    };
    let (rename_one, remove_one) =
        (t.fill(texts.rename_one, &name), t.fill(texts.remove_one, &name));
    let confirmed = Confirmed::new();
    let remove = Callback::new(move |password| {
        let removed = async move {
            let proof = proof(password).await?;
            Ok::<_, PasskeyError>(remove_passkey(id, proof.password, proof.passkey).await?)
        };
        confirmed.ask(removed, move |state| list.set(state.passkeys));
    });
    view! {
        <li class="passkey">
            <span class="block py-2">
                <bdi class="block font-medium">{name.clone()}</bdi>
                <span class="block text-sm text-muted">{when}</span>
            </span>
            <details class="folded is-harmless">
                <summary class="link" aria-label=rename_one>{texts.rename}"…"</summary>
                <Rename id=id name=name list=list />
            </details>
            <details class="folded">
                <summary class="link" aria-label=remove_one>{texts.remove}"…"</summary>
                <p class="mt-3">{texts.remove_help}</p>
                <ConfirmForm id=format!("remove-{id}") action=paths::REMOVE_PASSKEY confirmed=confirmed submit=remove>
                    <input type="hidden" name="id" value=id.to_string() />
                    <SaveButton outcome=confirmed.outcome label=texts.remove busy=texts.waiting done="" danger=true />
                </ConfirmForm>
            </details>
        </li>
    }
}

/// The form that renames a passkey.
#[component]
fn Rename(
    id: protocol::PasskeyId,
    /// The present name.
    name: String,
    list: RwSignal<Vec<PasskeyInfo>>,
) -> impl IntoView {
    let t = use_texts();
    let outcome = RwSignal::new(Outcome::Untouched);
    let field = NodeRef::<Input>::new();
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(field) = field.get_untracked() else { return };
        ask(outcome, rename_passkey(id, field.value()), move |state| list.set(state.passkeys));
    };
    view! {
        <form class="mt-4 flex flex-col gap-4" method="post" action=paths::RENAME_PASSKEY on:submit=on_submit>
            <ForWhom />
            <input type="hidden" name="id" value=id.to_string() />
            <TextField
                kind=FieldKind::PasskeyName
                id=format!("rename-{id}")
                node_ref=field
                value=name
                error=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error)))
            />
            <SaveButton outcome=outcome label=t.account().save busy=t.saving done="" />
        </form>
    }
}
