//! The signed-in user, with links to settings and sign-out.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::overlays::use_overlays;
use super::sign_out_dialog::{Decision, SignOutState};
use super::{Avatar, ForWhom, Icon};
use crate::browser::saving::{forget_all_but_unsent, forget_person, unsent};
use crate::error::AppError;
use crate::error_messages::error_message;
use crate::language::{Texts, use_texts};
use crate::live::Unsent;
use crate::paths;
use crate::server_fns::sign_out;
use crate::state::{State, use_state};
use crate::text;

/// How long to wait for the server's answer before reporting that it does not respond.
const PATIENCE: Duration = Duration::from_secs(8);

/// The footer of the list.
#[component]
pub fn ProfileBar() -> impl IntoView {
    let (t, state, overlays) = (use_texts(), use_state(), use_overlays());
    let problem = RwSignal::new(None);
    let leaving = SignOutState {
        unsent: RwSignal::new(None),
        decided: Callback::new(move |decision| leave(t, state, problem, decision)),
        problem,
    };
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        problem.set(None);
        let unsent = unsent(state);
        if unsent == Unsent::default() {
            leave(t, state, problem, Decision::Delete);
            return;
        }
        spawn_local(async move {
            if overlays.load().await.is_ok() {
                leaving.unsent.set(Some(unsent));
            } else {
                // The dialog's code could not be loaded, so the browser's own dialog asks.
                let deletes = window().confirm_with_message(t.leaving.plain).unwrap_or_default();
                let decision = if deletes { Decision::Delete } else { Decision::Keep };
                leaving.decided.run(decision);
            }
        });
    };
    let dialog = move || {
        let unsent = leaving.unsent.get()?;
        overlays.when_loaded(|overlays| (overlays.sign_out)(leaving, unsent))
    };
    let bar = move || {
        state.watch_me().map(|me| view! {
        <footer class="profile-bar">
            <a class="profile-link" href=paths::SETTINGS>
            <Avatar user=me.clone() class="avatar-small" />
            <span class="min-w-0 flex-1">
                <span class="block truncate text-sm font-semibold" dir="auto">{me.display_name.clone()}</span>
                <span class="block truncate text-xs text-muted"><bdi dir="ltr">"@" {me.username.clone()}</bdi></span>
            </span>
            {Icon::Settings.draw("size-5 shrink-0 text-muted")}
            <span class="sr-only">", " {t.settings}</span>
            </a>
            <form method="post" action=paths::SIGN_OUT data-ask=t.leaving.plain on:submit=on_submit>
                <ForWhom />
                <button class="button-quiet" type="submit">
                    {Icon::Leave.draw("size-4")}
                    {t.sign_out}
                </button>
            </form>
        </footer>
    })
    };
    view! {
        <p
            class="bar-problem"
            role="alert"
            class:hidden=move || problem.with(Option::is_none)
            inner_html=move || text::as_html(&problem.get().unwrap_or_default())
        ></p>
        {bar}
        {dialog}
    }
}

/// Signs out. Deletes local data only after the server has ended the session, so that no user stays
/// signed in with the drafts gone.
fn leave(t: &'static Texts, state: State, problem: RwSignal<Option<String>>, decision: Decision) {
    let say_unreached = move || problem.set(Some(t.sign_out_unreached.to_owned()));
    let is_over = Rc::new(Cell::new(false));
    let was_over = is_over.clone();
    // On a connection that is dead without a reset, a call takes minutes to fail.
    set_timeout(
        move || {
            if !was_over.get() {
                say_unreached();
            }
        },
        PATIENCE,
    );
    spawn_local(async move {
        let answer = sign_out().await;
        is_over.set(true);
        match answer {
            Ok(()) => {
                match decision {
                    Decision::Delete => forget_person(state),
                    Decision::Keep => forget_all_but_unsent(state),
                }
                // A full page load clears the memory of this user.
                _ = window().location().assign(paths::SIGN_IN);
            }
            Err(AppError::Unreached) => say_unreached(),
            Err(error) => problem.set(Some(error_message(t, error))),
        }
    });
}
