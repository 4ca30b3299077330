//! `/settings`: one's own account and how the page looks.

use leptos::prelude::*;
use leptos_meta::Title;
use protocol::{SessionInfo, Settings};

use crate::components::settings::{
    Appearance, ChangePassword, DeleteAccount, Devices, PrivacyChoices, Profile, SettingsSection,
};
use crate::components::{FormAlert, Icon, NotificationChoices, use_shortcuts};
use crate::error::AppError;
use crate::first_view::{OwnAccount, read_settings, use_read_ahead};
use crate::language::use_texts;
use crate::paths;
use crate::session::use_session;
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
                {match use_read_ahead().settings() {
                    Some(read) => view! { <Read read=read /> }.into_any(),
                    None => view! { <ReadNow /> }.into_any(),
                }}
            </div>
        </main>
    }
}

/// Opened from another page: read now. On the server it was read before anything was rendered.
#[component]
fn ReadNow() -> impl IntoView {
    let read = LocalResource::new(read_settings);
    view! {
        <Suspense>
            {move || Suspend::new(async move { view! { <Read read=read.await /> } })}
        </Suspense>
    }
}

/// What was read, or why not.
#[component]
fn Read(
    /// It.
    read: Result<OwnAccount, AppError>,
) -> impl IntoView {
    let t = use_texts();
    match read {
        Ok((settings, sessions)) => {
            view! { <Sections settings=settings sessions=sessions /> }.into_any()
        }
        Err(error) => {
            #[cfg(feature = "ssr")]
            crate::context::say(error);
            view! { <p class="text-danger" role="alert">{words::sentence(t, error)}</p> }.into_any()
        }
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
