//! Signing in another device: a link from this device, as a QR code, and the news of its use.
//!
//! The panel learns of the use from the notice of a new sign-in, and asks the server then. Without a
//! live connection it asks at intervals, and once more after each outage, because the notice may have
//! been missed.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{DeviceLink, SessionInfo};

use super::confirmation::{ConfirmForm, Confirmed, proof};
use super::two_step::Lead;
use super::{Outcome, SaveButton, ask};
use crate::browser::{copy, uptime_ms};
use crate::components::FormAlert;
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::passkeys::PasskeyError;
use crate::paths;
use crate::server_fns::{create_device_link, get_device_link, list_sessions, withdraw_device_link};
use crate::state::{Connection, State, use_state};

/// The interval at which the panel checks whether it has to ask.
const EVERY: Duration = Duration::from_secs(3);

/// What the panel shows.
#[derive(Clone, PartialEq)]
enum Step {
    /// The form with the user's confirmation.
    Closed,
    Shown(DeviceLink),
    /// The label of the device that signed in.
    SignedIn(String),
    /// The link was not used in time, or was replaced.
    Ended,
}

/// A link that waits for its use.
#[derive(Clone, Copy)]
struct Waiting {
    state: State,
    step: RwSignal<Step>,
    sessions: RwSignal<Vec<SessionInfo>>,
    /// The uptime at which the link expires.
    until_ms: StoredValue<i64>,
    /// Whether the server must be asked, because of news or because an earlier attempt failed.
    is_due: StoredValue<bool>,
}

impl Waiting {
    fn show(self, link: DeviceLink) {
        self.until_ms.set_value(uptime_ms() + i64::from(link.valid_seconds) * 1_000);
        self.is_due.set_value(false);
        self.step.set(Step::Shown(link));
    }

    /// Asks on each notice of a sign-in and whenever the connection changes, and otherwise at
    /// intervals.
    fn watch(self) {
        Effect::new(move |_| {
            self.state.signed_in_elsewhere.track();
            self.state.connection.track();
            self.is_due.set_value(true);
            self.look();
        });
        Effect::new(move |_| {
            if let Ok(timer) = set_interval_with_handle(move || self.tick(), EVERY) {
                on_cleanup(move || timer.clear());
            }
        });
    }

    /// Without a live connection no notice arrives. A link that is over is over on the server too,
    /// but only the server knows whether it was used.
    fn tick(self) {
        let is_live = self.state.connection.try_get_untracked() == Some(Connection::Live);
        let is_over = self.until_ms.try_get_value().is_some_and(|until| uptime_ms() >= until);
        if !is_live || is_over || self.is_due.try_get_value() == Some(true) {
            self.look();
        }
    }

    /// Asks what became of the link. A failed attempt is repeated.
    fn look(self) {
        let Some(Step::Shown(link)) = self.step.try_get_untracked() else { return };
        spawn_local(async move {
            let Ok(found) = get_device_link(link.id.clone()).await else { return };
            _ = self.is_due.try_set_value(false);
            // The panel may show another link meanwhile.
            if found.is_open || self.step.try_get_untracked() != Some(Step::Shown(link)) {
                return;
            }
            match found.used_by {
                Some(device) => self.was_used(device),
                None => self.step.set(Step::Ended),
            }
        });
    }

    fn was_used(self, device: String) {
        // The panel shows this sign-in itself; a notice of another one stays.
        let notice = self.state.signed_in_elsewhere;
        if notice.with_untracked(|other| other.as_ref() == Some(&device)) {
            notice.set(None);
        }
        self.step.set(Step::SignedIn(device));
        spawn_local(async move {
            // On an error the list keeps its contents.
            if let Ok(sessions) = list_sessions().await {
                _ = self.sessions.try_set(sessions);
            }
        });
    }
}

/// The panel, below the list of devices.
#[component]
pub fn SignInAnother(
    /// The list of devices, which shows the new one after the sign-in.
    sessions: RwSignal<Vec<SessionInfo>>,
) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.device_link();
    let step = RwSignal::new(Step::Closed);
    let (until_ms, is_due) = (StoredValue::new(0), StoredValue::new(false));
    let waiting = Waiting { state: use_state(), step, sessions, until_ms, is_due };
    waiting.watch();
    let news = move || match step.get() {
        Step::SignedIn(device) if device.is_empty() => Some(texts.signed_in_unknown.to_owned()),
        Step::SignedIn(device) => Some(t.fill(texts.signed_in, &device)),
        Step::Ended => Some(texts.ended.to_owned()),
        Step::Closed | Step::Shown(_) => None,
    };
    view! {
        <div class="flex flex-col gap-4">
            <div role="status" class="empty:absolute">
                {move || news().map(|news| view! { <p class="font-medium">{news}</p> })}
            </div>
            {move || match step.get() {
                Step::Shown(link) => view! { <Shown link=link step=step /> }.into_any(),
                Step::Closed => view! { <Begin waiting=waiting label=texts.sign_in_another /> }.into_any(),
                Step::SignedIn(_) => view! { <Begin waiting=waiting label=texts.another /> }.into_any(),
                Step::Ended => view! { <Begin waiting=waiting label=texts.new_code /> }.into_any(),
            }}
        </div>
    }
}

/// The form with the user's confirmation, collapsed.
#[component]
fn Begin(waiting: Waiting, label: &'static str) -> impl IntoView {
    let texts = use_texts().language.device_link();
    let confirmed = Confirmed::new();
    let submit = Callback::new(move |password| {
        let made = async move {
            let proof = proof(password).await?;
            Ok::<_, PasskeyError>(create_device_link(proof.password, proof.passkey).await?)
        };
        confirmed.ask(made, move |link| waiting.show(link));
    });
    view! {
        <details class="folded is-harmless">
            <summary class="link">{label}"…"</summary>
            <p class="mt-3">{texts.help}</p>
            <ConfirmForm id="device-link-password" action=paths::CREATE_DEVICE_LINK confirmed=confirmed submit=submit>
                <SaveButton outcome=confirmed.outcome label=texts.make_code busy=texts.making done="" />
            </ConfirmForm>
        </details>
    }
}

/// The link and its QR code.
#[component]
fn Shown(link: DeviceLink, step: RwSignal<Step>) -> impl IntoView {
    let t = use_texts();
    let texts = t.language.device_link();
    let (copied, outcome) = (RwSignal::new(false), RwSignal::new(Outcome::Untouched));
    let DeviceLink { id, link, qr, .. } = link;
    let to_copy = link.clone();
    let cancel = move |_| {
        ask(outcome, withdraw_device_link(id.clone()), move |()| step.set(Step::Closed));
    };
    view! {
        <Lead text=texts.scan takes_focus=true />
        <div class="invitation">
            <div class="two-step-qr w-full" inner_html=qr></div>
            <input class="invitation-link" readonly=true dir="ltr" value=link aria-label=texts.link />
            <p class="text-sm text-muted">{texts.valid}</p>
            <FormAlert text=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error))) />
            <div class="flex flex-wrap justify-center gap-3">
                <button class="button-quiet is-edged" type="button" on:click=move |_| copy(&to_copy, copied)>
                    {move || if copied.get() { t.account().link_copied } else { t.copy_link }}
                </button>
                <span class="sr-only" role="status">{move || if copied.get() { t.account().link_copied } else { "" }}</span>
                <button class="button-quiet is-edged" type="button" on:click=cancel>{texts.cancel}</button>
            </div>
        </div>
    }
}
