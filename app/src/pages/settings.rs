//! `/settings`: the user's account and the appearance of the page.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;

use crate::bootstrap::use_bootstrap;
use crate::components::settings::{
    Appearance, BlockedPeople, ChangePassword, ConfirmsAt, DeleteAccount, Devices, HasPassword,
    Identities, Passkeys, PrivacyChoices, Profile, SettingsSection, TwoStep,
};
use crate::components::{FormAlert, Icon, NotRead, NotificationChoices, use_shortcuts};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::preload::{OwnAccount, load_settings, use_preloaded};
use crate::state::use_state;

/// The page in the right pane.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let t = use_texts();
    view! {
        <Title text=t.settings />
        <main class="pane-conversation" id="content">
            <header class="conversation-header">
                <a class="icon-button md:hidden" href=paths::HOME aria-label=t.back_to_conversations>
                    {Icon::Back.draw("size-6 flip")}
                </a>
                <h1 class="text-lg font-semibold">{t.settings}</h1>
            </header>
            <div class="settings">
                <Read />
            </div>
        </main>
    }
}

/// The sections, or the error. The server loads the settings before rendering. After navigation
/// from another page they are fetched here, and a failed fetch is retried when the connection is
/// back.
#[component]
fn Read() -> impl IntoView {
    let state = use_state();
    let read = RwSignal::new(use_preloaded().lazy_page());
    #[cfg(feature = "ssr")]
    if let Some(Err(error)) = read.get_untracked() {
        crate::response::set_error_status(error);
    }
    let again = Callback::new(move |()| {
        spawn_local(async move {
            let answer = load_settings().await;
            // The page may have been left meanwhile.
            _ = read.try_set(Some(answer));
        });
    });
    Effect::new(move |_| {
        let is_back = state.connection.get().brings_news();
        match read.get_untracked() {
            Some(Ok(_)) => {}
            Some(Err(_)) if !is_back => {}
            _ => again.run(()),
        }
    });
    move || match read.get() {
        Some(Ok(account)) => view! { <Sections account=account /> }.into_any(),
        Some(Err(error)) => view! { <NotRead error=error again=again /> }.into_any(),
        None => ().into_any(),
    }
}

/// All sections.
#[component]
fn Sections(account: OwnAccount) -> impl IntoView {
    let (settings, sessions, second_factor, passkeys, blocked) = account;
    let (t, shortcuts) = (use_texts(), use_shortcuts());
    provide_context(HasPassword(passkeys.has_password));
    let provider = passkeys.provider.clone();
    if let Some(provider) = provider.as_ref().filter(|provider| provider.confirms) {
        let (name, confirmed) = (provider.name.clone(), RwSignal::new(provider.confirmed));
        provide_context(ConfirmsAt { name, confirmed });
    }
    // A refused plain form shows its error here; after hydration each form shows its own error.
    let refused = use_bootstrap().echo.error.map(|error| error_message(t, error));
    view! {
        <FormAlert text=Signal::stored(refused) />
        <Profile user=settings.user />
        <Appearance />
        <SettingsSection id="notifications" title=t.notifications>
            <NotificationChoices />
        </SettingsSection>
        <PrivacyChoices privacy=settings.privacy />
        <BlockedPeople people=blocked />
        <ChangePassword />
        <Passkeys state=passkeys />
        {provider.map(|provider| view! { <Identities state=provider /> })}
        <TwoStep state=second_factor />
        <SettingsSection id="keyboard" title=t.account().keyboard>
            <button class="button-quiet is-edged self-start" type="button" on:click=move |_| shortcuts.open()>
                {t.account().keyboard_show}
            </button>
        </SettingsSection>
        <Devices sessions=sessions />
        <DeleteAccount />
    }
}
