//! What to know about the connection: calm, one line, and only when it lasts.

#[cfg(feature = "hydrate")]
use std::time::Duration;

use leptos::prelude::*;

use crate::language::{Texts, use_texts};
use crate::paths;
#[cfg(feature = "hydrate")]
use crate::state::State;
use crate::state::{Connection, use_state};

/// A connection that is away for less than this is nobody's business.
#[cfg(feature = "hydrate")]
const PATIENCE: Duration = Duration::from_secs(2);
/// After this one says "offline" instead of "connecting".
#[cfg(feature = "hydrate")]
const OFFLINE_AFTER: Duration = Duration::from_secs(8);
/// How long "connected" stays.
#[cfg(feature = "hydrate")]
const RELIEF: Duration = Duration::from_millis(1_500);

/// What the banner says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    Nothing,
    #[cfg(feature = "hydrate")]
    Connecting,
    #[cfg(feature = "hydrate")]
    Offline,
    #[cfg(feature = "hydrate")]
    Connected,
    SignedOut,
    TooManyTabs,
    Outdated,
}

impl Notice {
    fn is_good(self) -> bool {
        #[cfg(feature = "hydrate")]
        return self == Self::Connected;
        #[cfg(not(feature = "hydrate"))]
        false
    }

    fn words(self, t: &Texts) -> &'static str {
        match self {
            Self::Nothing => "",
            #[cfg(feature = "hydrate")]
            Self::Connecting => t.connecting,
            #[cfg(feature = "hydrate")]
            Self::Offline => t.offline,
            #[cfg(feature = "hydrate")]
            Self::Connected => t.connected,
            Self::SignedOut => t.was_signed_out,
            Self::TooManyTabs => t.too_many_tabs,
            Self::Outdated => t.new_version,
        }
    }
}

/// The banner, and the warning when the browser keeps nothing.
#[component]
pub fn Banner() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let notice = RwSignal::new(Notice::Nothing);
    Effect::new(move |_| {
        let connection = state.connection.get();
        match connection {
            Connection::SignedOut => notice.set(Notice::SignedOut),
            Connection::TooManyTabs => notice.set(Notice::TooManyTabs),
            Connection::Outdated => notice.set(Notice::Outdated),
            Connection::Live | Connection::Connecting => soften(state, notice, connection),
        }
    });
    view! {
        <div class="banners">
            <div
                role="status"
                class="banner"
                class:hidden=move || notice.get() == Notice::Nothing
                class:is-good=move || notice.get().is_good()
            >
                <span>{move || notice.get().words(t)}</span>
                <a
                    class="link ms-3"
                    rel="external"
                    class:hidden=move || notice.get() != Notice::SignedOut
                    href=move || paths::sign_in_then(&here(notice.get()))
                >
                    {t.sign_in_again}
                </a>
                <button
                    class="link ms-3"
                    type="button"
                    class:hidden=move || notice.get() != Notice::Outdated
                    on:click=move |_| { _ = window().location().reload(); }
                >
                    {t.reload}
                </button>
            </div>
            <div role="status" class="banner is-bad" class:hidden=move || state.storage_works.get()>
                {t.storage_fails}
            </div>
            <div
                role="status"
                class="banner"
                class:hidden=move || !state.newer_build.get() || notice.get() == Notice::Outdated
            >
                <span>{t.newer_build}</span>
                <button
                    class="link ms-3"
                    type="button"
                    on:click=move |_| { _ = window().location().reload(); }
                >
                    {t.reload}
                </button>
                <button class="link ms-3" type="button" on:click=move |_| state.newer_build.set(false)>
                    {t.not_now}
                </button>
            </div>
            <noscript inner_html=without_scripts(t)></noscript>
        </div>
    }
}

/// Said where scripts are off. As text: hydration must not look for elements in `noscript`, which
/// a browser that runs scripts does not parse.
fn without_scripts(t: &Texts) -> String {
    format!("<p class=\"banner\">{}</p>", t.without_scripts)
}

/// Where to come back to, read only once it is wanted (there is no location on the server).
fn here(notice: Notice) -> String {
    if notice == Notice::SignedOut {
        let location = window().location();
        location.pathname().unwrap_or_else(|_| paths::HOME.to_owned())
    } else {
        paths::HOME.to_owned()
    }
}

/// Says "connecting" and "offline" only after a while, and "connected" only after those.
#[cfg(feature = "hydrate")]
fn soften(state: State, notice: RwSignal<Notice>, connection: Connection) {
    if connection == Connection::Live {
        let was_away = matches!(notice.get_untracked(), Notice::Connecting | Notice::Offline);
        notice.set(if was_away { Notice::Connected } else { Notice::Nothing });
        set_timeout(
            move || {
                if notice.try_get_untracked() == Some(Notice::Connected) {
                    notice.set(Notice::Nothing);
                }
            },
            RELIEF,
        );
        return;
    }
    for (after, say) in [(PATIENCE, Notice::Connecting), (OFFLINE_AFTER, Notice::Offline)] {
        set_timeout(
            move || {
                let still_away =
                    state.connection.try_get_untracked() == Some(Connection::Connecting);
                // A shorter outage in between has its own timers; saying the same twice is harmless.
                if still_away && notice.try_get_untracked() != Some(Notice::Offline) {
                    notice.set(say);
                }
            },
            after,
        );
    }
}

#[cfg(not(feature = "hydrate"))]
fn soften(_: crate::state::State, _: RwSignal<Notice>, _: Connection) {
    // Time passes in the browser only.
}
