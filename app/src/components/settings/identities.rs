//! The user's identities at the sign-in provider: linking and unlinking them.

use leptos::prelude::*;
use protocol::{IdentityInfo, ProviderState};

use super::SaveButton;
use super::confirmation::{ConfirmForm, Confirmed, proof};
use crate::language::use_texts;
use crate::passkeys::PasskeyError;
use crate::paths;
use crate::server_fns::{permit_identity_link, unlink_identity};
use crate::state::use_state;
use crate::time;

/// The section.
#[component]
pub fn Identities(state: ProviderState) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.identities();
    let ProviderState { name, identities, .. } = state;
    let list = RwSignal::new(identities);
    let confirmed = Confirmed::new();
    let submit = Callback::new(move |password| {
        let permitted = async move {
            let proof = proof(password).await?;
            Ok::<_, PasskeyError>(permit_identity_link(proof.password, proof.passkey).await?)
        };
        confirmed.ask(permitted, |()| _ = window().location().assign(paths::PROVIDER_LINK));
    });
    view! {
        <section class="settings-section" aria-labelledby="identities">
            <h2 id="identities" class="text-lg font-semibold">{t.fill(texts.title, &name)}</h2>
            <p class="text-sm text-muted">{t.fill(texts.help, &name)}</p>
            <p class:hidden=move || list.with(|list| !list.is_empty())>{texts.none}</p>
            <ul class="devices">
                <For each=move || list.get() key=|identity| identity.id let:identity>
                    <Identity identity=identity list=list />
                </For>
            </ul>
            <details class="folded is-harmless">
                <summary class="link">{texts.link}"…"</summary>
                <ConfirmForm id="link-identity" action=paths::LINK_IDENTITY confirmed=confirmed submit=submit>
                    <SaveButton outcome=confirmed.outcome label=texts.link busy=texts.linking done="" />
                </ConfirmForm>
            </details>
        </section>
    }
}

/// One identity of the list.
#[component]
fn Identity(identity: IdentityInfo, list: RwSignal<Vec<IdentityInfo>>) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    let (texts, passkeys) = (t.language.identities(), t.language.passkeys());
    let IdentityInfo { id, name, created_at, used_at } = identity;
    let when = move || {
        let short = |sentence: &str, at| sentence.replace("{}", &time::short(t, at, local.get()));
        let used = match used_at {
            Some(at) => short(passkeys.used, at),
            None => passkeys.unused.to_owned(),
        };
        format!("{}, {used}", short(texts.linked, created_at))
    };
    let unlink_one = t.fill(texts.unlink_one, &name);
    let confirmed = Confirmed::new();
    let unlink = Callback::new(move |password| {
        let unlinked = async move {
            let proof = proof(password).await?;
            Ok::<_, PasskeyError>(unlink_identity(id, proof.password, proof.passkey).await?)
        };
        confirmed.ask(unlinked, move |state| {
            list.set(state.provider.map(|provider| provider.identities).unwrap_or_default());
        });
    });
    view! {
        <li class="passkey">
            <span class="block py-2">
                <bdi class="block font-medium">{name}</bdi>
                <span class="block text-sm text-muted">{when}</span>
            </span>
            <details class="folded">
                <summary class="link" aria-label=unlink_one>{texts.unlink}"…"</summary>
                <p class="mt-3">{texts.unlink_help}</p>
                <ConfirmForm id=format!("unlink-{id}") action=paths::UNLINK_IDENTITY confirmed=confirmed submit=unlink>
                    <input type="hidden" name="id" value=id.to_string() />
                    <SaveButton outcome=confirmed.outcome label=texts.unlink busy=use_texts().saving done="" danger=true />
                </ConfirmForm>
            </details>
        </li>
    }
}
