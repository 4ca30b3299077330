//! `/invite`: bringing the other one in.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use protocol::Invitation;

use crate::components::{FormAlert, Icon, QrCode};
use crate::error::AppError;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::create_invitation;
use crate::state::use_state;
use crate::time;
use crate::words;

/// The page, beside the list. A link is made only when it is asked for: each can be used once.
#[component]
pub fn InvitePage() -> impl IntoView {
    let t = use_texts();
    let made = RwSignal::new(None::<Invitation>);
    let refused = RwSignal::new(None::<AppError>);
    let busy = RwSignal::new(false);
    let make = move |_| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        spawn_local(async move {
            let answer = create_invitation().await;
            _ = busy.try_set(false);
            _ = refused.try_set(answer.as_ref().err().copied());
            if let Ok(invitation) = answer {
                _ = made.try_set(Some(invitation));
            }
        });
    };
    let is_made = Memo::new(move |_| made.with(Option::is_some));
    view! {
        <Title text=t.invite />
        <main class="pane-conversation" id="content">
            <header class="conversation-header">
                <a class="icon-button md:hidden" href=paths::HOME aria-label=t.back_to_conversations>
                    {Icon::Back.draw("size-6 flip")}
                </a>
                <h1 class="text-lg font-semibold">{t.invite}</h1>
            </header>
            <div class="settings">
                <section class="settings-section text-center">
                    <p class="text-muted">{move || if is_made.get() { t.invite_help } else { t.invite_before }}</p>
                    <FormAlert text=Signal::derive(move || refused.get().map(|error| words::sentence(t, error))) />
                    <div role="status">
                        {move || made.get().map(|invitation| view! { <Link invitation=invitation /> })}
                    </div>
                    <button
                        class=move || if is_made.get() { "button-quiet is-edged mx-auto" } else { "button-primary mx-auto" }
                        type="button"
                        aria-disabled=move || busy.get().then_some("true")
                        on:click=make
                    >
                        {move || if is_made.get() { t.another_link } else { t.make_a_link }}
                    </button>
                    <noscript inner_html=format!("<p class=\"text-muted\">{}</p>", t.needs_scripts)></noscript>
                </section>
            </div>
        </main>
    }
}

/// The link: to copy, to share, to scan.
#[component]
fn Link(
    /// What was made.
    invitation: Invitation,
) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().local_time);
    let address = address_of(&paths::invitation(&invitation.token));
    let copied = RwSignal::new(false);
    let (to_copy, to_share) = (address.clone(), address.clone());
    view! {
        <div class="invitation">
            <label class="sr-only" for="invitation-link">{t.invitation_link}</label>
            <input id="invitation-link" class="invitation-link" readonly=true dir="ltr" value=address.clone() />
            <div class="flex flex-wrap justify-center gap-3">
                <button class="button-primary" type="button" on:click=move |_| copy(&to_copy, copied)>
                    {move || if copied.get() { t.link_copied } else { t.copy_link }}
                </button>
                <span class="sr-only" role="status">{move || if copied.get() { t.link_copied } else { "" }}</span>
                {can_share().then(|| view! {
                    <button class="button-quiet is-edged" type="button" on:click=move |_| share(&to_share)>{t.share_link}</button>
                })}
            </div>
            <p class="text-sm text-muted">
                {move || t.valid_until.replace("{}", &time::moment(t, invitation.expires_at, local.get()))}
            </p>
            <p class="text-muted">{t.or_scan}</p>
            <QrCode text=address label=t.qr_code />
        </div>
    }
}

#[cfg(feature = "hydrate")]
use live::{address_of, can_share, copy, share};
#[cfg(not(feature = "hydrate"))]
use plain::{address_of, can_share, copy, share};

#[cfg(feature = "hydrate")]
mod live {
    use std::time::Duration;

    use js_sys::Reflect;
    use leptos::prelude::*;
    use leptos::task::spawn_local;
    use wasm_bindgen_futures::JsFuture;
    use web_sys::ShareData;

    /// How long "copied" stays.
    const COPIED_FOR: Duration = Duration::from_secs(2);

    pub fn address_of(path: &str) -> String {
        window().location().origin().unwrap_or_default() + path
    }

    pub fn copy(text: &str, copied: RwSignal<bool>) {
        let written = JsFuture::from(window().navigator().clipboard().write_text(text));
        spawn_local(async move {
            // Refused where the page may not write there: the link stands in its field, to be copied by hand.
            if written.await.is_ok() {
                _ = copied.try_set(true);
                set_timeout(move || _ = copied.try_set(false), COPIED_FOR);
            }
        });
    }

    pub fn can_share() -> bool {
        Reflect::has(&window().navigator(), &"share".into()).unwrap_or(false)
    }

    pub fn share(address: &str) {
        let data = ShareData::new();
        data.set_url(address);
        let shared = JsFuture::from(window().navigator().share_with_data(&data));
        // Refused when the person thought better of it.
        spawn_local(async move { _ = shared.await });
    }
}

/// On the server nobody presses a button.
#[cfg(not(feature = "hydrate"))]
mod plain {
    use leptos::prelude::RwSignal;

    pub fn address_of(path: &str) -> String {
        path.to_owned()
    }
    pub fn copy(_: &str, _: RwSignal<bool>) {}
    pub fn can_share() -> bool {
        false
    }
    pub fn share(_: &str) {}
}
