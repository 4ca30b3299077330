//! `/settings`: one's own account and how the page looks.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use protocol::{SessionInfo, Settings};

use crate::components::settings::{
    Appearance, ChangePassword, DeleteAccount, Devices, PrivacyChoices, Profile, SettingsSection,
};
use crate::components::{FormAlert, Icon, NotRead, NotificationChoices, use_shortcuts};
use crate::first_view::{read_settings, use_read_ahead};
use crate::language::use_texts;
use crate::paths;
use crate::session::use_session;
use crate::state::use_state;
use crate::words;

/// The page, beside the list.
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

/// What was read, or why not. On the server it was read before anything was rendered; opened from another
/// page it is read now, and what failed is tried again when the connection is back.
#[component]
fn Read() -> impl IntoView {
    let state = use_state();
    let read = RwSignal::new(use_read_ahead().settings());
    #[cfg(feature = "ssr")]
    if let Some(Err(error)) = read.get_untracked() {
        crate::context::say(error);
    }
    let again = Callback::new(move |()| {
        spawn_local(async move {
            let answer = read_settings().await;
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
        Some(Ok((settings, sessions))) => {
            view! { <Sections settings=settings sessions=sessions /> }.into_any()
        }
        Some(Err(error)) => view! { <NotRead error=error again=again /> }.into_any(),
        None => ().into_any(),
    }
}

/// All that can be changed.
#[component]
fn Sections(
    /// How it stands.
    settings: Settings,
    /// Where one is signed in.
    sessions: Vec<SessionInfo>,
) -> impl IntoView {
    let (t, shortcuts) = (use_texts(), use_shortcuts());
    // A plain form that was refused says so here; a live one beside its own fields.
    let refused = use_session().echo.error.map(|error| words::sentence(t, error));
    view! {
        <FormAlert text=Signal::stored(refused) />
        <Profile user=settings.user />
        <Appearance />
        <SettingsSection id="notifications" title=t.notifications>
            <NotificationChoices />
        </SettingsSection>
        <PrivacyChoices privacy=settings.privacy />
        <ChangePassword />
        <SettingsSection id="keyboard" title=t.keyboard>
            <button class="button-quiet is-edged self-start" type="button" on:click=move |_| shortcuts.open()>
                {t.keyboard_show}
            </button>
        </SettingsSection>
        <Devices sessions=sessions />
        <DeleteAccount />
    }
}
