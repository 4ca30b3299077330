//! The banner about the connection: one line, shown only if a problem lasts.

use std::time::Duration;

use leptos::html::A;
use leptos::prelude::*;

use crate::browser::{down_since, is_online, uptime_ms};
use crate::language::{Texts, use_texts};
use crate::paths;
use crate::state::{Connection, State, use_state};
use crate::text;

/// An outage shorter than this, in milliseconds, is not shown. A longer one has outlasted the first
/// reconnection attempts.
const PATIENCE_MS: i64 = 4_000;
/// The same when the browser reports no network, which also happens while it switches networks.
const NO_NETWORK_MS: i64 = 500;
/// Outage in milliseconds after which the banner says "offline" instead of "connecting".
const OFFLINE_AFTER_MS: i64 = 8_000;
/// How long "connected" is shown, in milliseconds.
const RELIEF_MS: i64 = 1_500;

/// The banner's states. The server always renders `Nothing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    Nothing,
    Connecting,
    Offline,
    Connected,
    Polling,
    SignedOut,
    TooManyTabs,
    Outdated,
}

impl Notice {
    /// The text. Promises to keep messages only if the browser's storage works.
    fn words(self, t: &Texts, keeps: bool) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Connecting => t.connecting,
            Self::Offline if keeps => t.offline,
            Self::Offline => t.offline_unkept,
            Self::Connected => t.connected,
            Self::Polling => t.live_blocked,
            Self::SignedOut if keeps => t.was_signed_out,
            Self::SignedOut => t.was_signed_out_unkept,
            Self::TooManyTabs => t.too_many_tabs,
            Self::Outdated => t.new_version,
        }
    }
}

/// The banner, the warning that storage fails, and the notices of a newer build and of a sign-in
/// elsewhere.
#[component]
pub fn Banner() -> impl IntoView {
    let (t, state) = (use_texts(), use_state());
    let notice = RwSignal::new(Notice::Nothing);
    let sign_in = NodeRef::<A>::new();
    watch(state, notice);
    focus_when_signed_out(state, notice, sign_in);
    view! {
        <div class="banners">
            <div
                role="status"
                class="banner"
                class:hidden=move || notice.get() == Notice::Nothing
                class:is-good=move || notice.get() == Notice::Connected
            >
                <span inner_html=move || text::as_html(notice.get().words(t, state.storage_works.get()))></span>
                <a
                    node_ref=sign_in
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
            <div role="status" class="banner" class:hidden=move || state.signed_in_elsewhere.with(Option::is_none)>
                <span inner_html=move || text::as_html(&sign_in_notice(t, state))></span>
                <a class="link ms-3" href=paths::DEVICES on:click=move |_| state.signed_in_elsewhere.set(None)>
                    {t.review_devices}
                </a>
                <button class="link ms-3" type="button" on:click=move |_| state.signed_in_elsewhere.set(None)>
                    {t.that_was_me}
                </button>
            </div>
            <noscript inner_html=without_scripts(t)></noscript>
        </div>
    }
}

/// Focuses the link to sign in again once the page is hidden, unless the user must copy typed text.
fn focus_when_signed_out(state: State, notice: RwSignal<Notice>, sign_in: NodeRef<A>) {
    Effect::new(move |_| {
        if notice.get() == Notice::SignedOut && state.storage_works.get_untracked() {
            request_animation_frame(move || {
                if let Some(link) = sign_in.get_untracked() {
                    // Fails only for an element that is gone.
                    _ = link.focus();
                }
            });
        }
    });
}

/// The notice of a sign-in elsewhere; empty without one.
fn sign_in_notice(t: &Texts, state: State) -> String {
    state.signed_in_elsewhere.with(|device| match device.as_deref() {
        None => String::new(),
        Some("") => t.new_sign_in.to_owned(),
        Some(device) => t.fill(t.new_sign_in_from, device),
    })
}

/// The notice for pages without scripts. A string, because browsers that run scripts do not parse
/// `noscript`, so hydration would not find elements in it.
fn without_scripts(t: &Texts) -> String {
    format!("<p class=\"banner\">{}</p>", t.without_scripts)
}

/// The path to return to after signing in. Read only when needed, because the server has no
/// location.
fn here(notice: Notice) -> String {
    if notice == Notice::SignedOut {
        let location = window().location();
        location.pathname().unwrap_or_else(|_| paths::HOME.to_owned())
    } else {
        paths::HOME.to_owned()
    }
}

/// Updates the notice from the connection state.
fn watch(state: State, notice: RwSignal<Notice>) {
    let (since, timer) = (StoredValue::new(None), StoredValue::new(None));
    let outage = Outage { state, notice, since, timer };
    Effect::new(move |_| {
        let shown = match state.connection.get() {
            Connection::Connecting => return outage.update(),
            Connection::Live => {
                let was_away = matches!(
                    notice.get_untracked(),
                    Notice::Connecting | Notice::Offline | Notice::Polling | Notice::SignedOut
                );
                if was_away { Notice::Connected } else { Notice::Nothing }
            }
            Connection::Polling => Notice::Polling,
            Connection::SignedOut => Notice::SignedOut,
            Connection::TooManyTabs => Notice::TooManyTabs,
            Connection::Outdated => Notice::Outdated,
            // `page.js` shows this notice, on every page.
            Connection::WrongAddress => Notice::Nothing,
        };
        outage.is_over();
        notice.set(shown);
        if shown == Notice::Connected {
            outage.later(RELIEF_MS, |outage| outage.notice.set(Notice::Nothing));
        }
    });
}

/// An outage. All its timeouts share one timer, so that no timeout of an earlier outage fires in a
/// later one.
#[derive(Clone, Copy)]
struct Outage {
    state: State,
    notice: RwSignal<Notice>,
    since: StoredValue<Option<i64>>,
    timer: StoredValue<Option<TimeoutHandle>>,
}

impl Outage {
    /// Shows the notice for the time that has passed, and schedules the next change.
    fn update(self) {
        let now = uptime_ms();
        let down_since = down_since(self.state);
        let since = self.since.get_value().or(down_since).unwrap_or(now);
        self.since.set_value(Some(since));
        let lasted = now - since;
        // With an open socket the client is catching up, which is not "offline".
        let offline_after = match (is_online(), down_since) {
            (false, _) => NO_NETWORK_MS,
            (true, Some(_)) => OFFLINE_AFTER_MS,
            (true, None) => i64::MAX,
        };
        let again = if lasted >= offline_after {
            self.notice.set(Notice::Offline);
            None
        } else if lasted >= PATIENCE_MS {
            if self.notice.get_untracked() != Notice::Offline {
                self.notice.set(Notice::Connecting);
            }
            Some((OFFLINE_AFTER_MS - lasted).max(1_000))
        } else {
            Some(PATIENCE_MS.min(offline_after) - lasted)
        };
        self.stop();
        if let Some(again) = again {
            self.later(again, Self::update);
        }
    }

    fn is_over(self) {
        self.since.set_value(None);
        self.stop();
    }

    fn later(self, ms: i64, act: fn(Self)) {
        let wait = Duration::from_millis(ms.unsigned_abs());
        let handle = set_timeout_with_handle(move || act(self), wait);
        self.timer.set_value(handle.ok());
    }

    fn stop(self) {
        if let Some(handle) = self.timer.get_value() {
            handle.clear();
        }
    }
}
