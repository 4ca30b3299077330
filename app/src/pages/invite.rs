//! `/invite`: inviting someone.
//!
//! The page creates a link when it opens, shows the same link again while it is valid, and opens
//! the conversation once the link is used.

use std::cell::RefCell;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use protocol::{ConversationId, Invitation, WaitingInvitation};

use crate::bootstrap::use_bootstrap;
use crate::browser::{address_of, can_share, copy, element, share};
use crate::components::{Avatar, ForWhom, FormAlert, Icon, QrCode};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::{create_invitation, list_invitations, withdraw_invitation};
use crate::state::{State, use_state};
use crate::time;

/// How long the page shows who accepted, before the conversation opens.
const SHOWN_FOR: Duration = Duration::from_millis(1_500);

thread_local! {
    /// The link that is waiting, in the browser. Kept here, because the server cannot show a link
    /// again.
    static MADE: RefCell<Option<Invitation>> = const { RefCell::new(None) };
}

/// The state of the page.
#[derive(Clone, Copy)]
struct Inviting {
    state: State,
    made: RwSignal<Option<Invitation>>,
    refused: RwSignal<Option<AppError>>,
    busy: RwSignal<bool>,
    /// The conversation with the user who accepted the invitation.
    arrived: RwSignal<Option<ConversationId>>,
    /// The user's unused links.
    waiting: RwSignal<Vec<WaitingInvitation>>,
}

impl Inviting {
    fn new() -> Self {
        let (made, refused) = (RwSignal::new(None), RwSignal::new(use_bootstrap().echo.error));
        let (busy, arrived) = (RwSignal::new(false), RwSignal::new(None));
        let waiting = RwSignal::new(Vec::new());
        Self { state: use_state(), made, refused, busy, arrived, waiting }
    }

    /// Shows the link of an earlier visit if it is unused; otherwise creates one.
    fn begin(self) {
        let Some(earlier) = MADE.with_borrow(Clone::clone) else { return self.make() };
        self.busy.set(true);
        spawn_local(async move {
            if is_used(&earlier).await {
                _ = self.busy.try_set(false);
                self.make();
            } else {
                self.show(earlier);
            }
        });
    }

    fn make(self) {
        if self.busy.try_get_untracked() != Some(false) {
            return;
        }
        self.busy.set(true);
        spawn_local(async move {
            match create_invitation().await {
                Ok(invitation) => self.show(invitation),
                Err(error) => {
                    _ = self.busy.try_set(false);
                    _ = self.refused.try_set(Some(error));
                }
            }
        });
    }

    fn show(self, invitation: Invitation) {
        MADE.set(Some(invitation.clone()));
        _ = self.busy.try_set(false);
        _ = self.refused.try_set(None);
        _ = self.made.try_set(Some(invitation));
        self.look();
    }

    /// Fetches the unused links.
    fn look(self) {
        spawn_local(async move {
            // On an error the list keeps its contents.
            if let Ok(waiting) = list_invitations().await {
                _ = self.waiting.try_set(waiting);
            }
        });
    }

    fn withdraw(self, id: String) {
        spawn_local(async move {
            let answer = withdraw_invitation(id.clone()).await;
            _ = self.refused.try_set(answer.err());
            let is_shown =
                |made: &Option<Invitation>| made.as_ref().is_some_and(|made| made.id == id);
            if answer.is_ok() && self.made.try_with_untracked(is_shown) == Some(true) {
                MADE.set(None);
                self.made.set(None);
            }
            self.look();
        });
    }

    /// When a new conversation appears, checks whether the shown link was used.
    fn watch(self, then: impl Fn(ConversationId) + Clone + 'static) {
        Effect::new(move |before: Option<Vec<ConversationId>>| {
            let list = self.state.list.get();
            let new =
                before.and_then(|before| list.iter().find(|id| !before.contains(id)).copied());
            if let (Some(new), Some(invitation)) = (new, self.made.get_untracked()) {
                let then = then.clone();
                spawn_local(async move {
                    if is_used(&invitation).await {
                        MADE.set(None);
                        _ = self.made.try_set(None);
                        _ = self.arrived.try_set(Some(new));
                        self.look();
                        then(new);
                    }
                });
            }
            list
        });
    }
}

/// Whether a link was used, withdrawn or has expired. False if the check fails.
async fn is_used(invitation: &Invitation) -> bool {
    let waiting = list_invitations().await;
    waiting.is_ok_and(|waiting| waiting.iter().all(|other| other.id != invitation.id))
}

/// Whether the user is doing something else on the page.
fn is_busy_elsewhere() -> bool {
    const BEGUN: &str = "input:not([readonly]):focus, textarea:focus, dialog[open], :popover-open";
    element(BEGUN).is_some()
}

/// The page in the right pane.
#[component]
pub fn InvitePage() -> impl IntoView {
    let t = use_texts();
    let inviting = Inviting::new();
    let Inviting { made, refused, busy, arrived, .. } = inviting;
    // Owned by the effect, because the server may drop the values of a page on another thread.
    let navigate = use_navigate();
    Effect::new(move |_| inviting.begin());
    inviting.watch(move |conversation| {
        let navigate = navigate.clone();
        let open = move || {
            if arrived.try_get_untracked().is_some() && !is_busy_elsewhere() {
                let options = NavigateOptions { replace: true, ..NavigateOptions::default() };
                navigate(&paths::conversation(conversation), options);
            }
        };
        set_timeout(open, SHOWN_FOR);
    });
    let label = move || match (made.with(Option::is_some), busy.get()) {
        (_, true) => t.account().making_a_link,
        (true, _) => t.account().another_link,
        _ => t.account().make_a_link,
    };
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
                    <div role="status" class="empty:absolute">{move || arrived.get().map(|id| view! { <Arrived id=id /> })}</div>
                    <div class="contents" class:hidden=move || arrived.with(Option::is_some)>
                        <p class="text-muted">{t.account().invite_help}</p>
                        <FormAlert text=Signal::derive(move || refused.get().map(|error| error_message(t, error))) />
                        <div role="status" class="empty:absolute">
                            {move || made.get().map(|invitation| view! { <Link invitation=invitation /> })}
                        </div>
                        <form
                            method="post"
                            action=paths::INVITE
                            on:submit=move |event| {
                                event.prevent_default();
                                inviting.make();
                            }
                        >
                            <ForWhom />
                            <button
                                class=move || if made.with(Option::is_some) { "button-quiet is-edged mx-auto" } else { "button-primary" }
                                type="submit"
                                aria-disabled=move || busy.get().then_some("true")
                                inner_html=label
                            ></button>
                        </form>
                    </div>
                </section>
                <Waiting inviting=inviting />
            </div>
        </main>
    }
}

/// The unused links, each with a button to withdraw it.
#[component]
fn Waiting(inviting: Inviting) -> impl IntoView {
    let (t, local) = (use_texts(), inviting.state.time_context);
    let row = move |waiting: WaitingInvitation| {
        let is_shown =
            inviting.made.with(|made| made.as_ref().is_some_and(|shown| shown.id == waiting.id));
        let until = t
            .account()
            .valid_until
            .replace("{}", &time::moment(t, waiting.expires_at, local.get()));
        let id = waiting.id;
        view! {
            <li class="device">
                <span class="min-w-0 flex-1">
                    {until.clone()}
                    {is_shown.then(|| view! { " "<span class="tag">{t.account().this_link}</span> })}
                </span>
                <button class="button-quiet is-edged" type="button" on:click=move |_| inviting.withdraw(id.clone())>
                    {t.account().withdraw}
                    <span class="sr-only">": "{until}</span>
                </button>
            </li>
        }
    };
    view! {
        <section
            class="settings-section"
            class:hidden=move || inviting.waiting.with(Vec::is_empty)
            aria-labelledby="waiting"
        >
            <h2 id="waiting" class="text-lg font-semibold">{t.account().waiting_links}</h2>
            <ul class="devices">{move || inviting.waiting.get().into_iter().map(row).collect_view()}</ul>
        </section>
    }
}

/// The user who accepted the invitation, with a link to the conversation.
#[component]
fn Arrived(id: ConversationId) -> impl IntoView {
    let t = use_texts();
    use_state().summary(id).map(|conversation| {
        let user = conversation.peer.user;
        let sentence = t.fill(t.account().is_here, t.name(&user));
        view! {
            <div class="invitation">
                <Avatar user=user class="avatar-large" />
                <p class="text-xl font-semibold">{sentence}</p>
                <a class="button-primary inline-flex" href=paths::conversation(id)>{t.account().open_conversation}</a>
            </div>
        }
    })
}

/// A link, with copy and share buttons and a QR code.
#[component]
fn Link(invitation: Invitation) -> impl IntoView {
    let (t, local) = (use_texts(), use_state().time_context);
    let address = address_of(&paths::invitation(&invitation.token));
    let copied = RwSignal::new(false);
    let (to_copy, to_share) = (address.clone(), address.clone());
    view! {
        <div class="invitation">
            <label class="sr-only" for="invitation-link">{t.account().invitation_link}</label>
            <input id="invitation-link" class="invitation-link" readonly=true dir="ltr" value=address.clone() />
            <div class="flex flex-wrap justify-center gap-3">
                <button class="button-primary" type="button" on:click=move |_| copy(&to_copy, copied)>
                    {move || if copied.get() { t.account().link_copied } else { t.copy_link }}
                </button>
                <span class="sr-only" role="status">{move || if copied.get() { t.account().link_copied } else { "" }}</span>
                {can_share().then(|| view! {
                    <button class="button-quiet is-edged" type="button" on:click=move |_| share(&to_share)>{t.account().share_link}</button>
                })}
            </div>
            <p class="text-sm text-muted">
                {move || t.account().valid_until.replace("{}", &time::moment(t, invitation.expires_at, local.get()))}
            </p>
            <p class="text-muted">{t.account().or_scan}</p>
            <QrCode text=address label=t.qr_code />
        </div>
    }
}
