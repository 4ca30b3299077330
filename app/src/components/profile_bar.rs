//! Who is signed in, and the way out.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::layers::use_layers;
use super::leaving::{Decision, Leaving};
use super::{Avatar, ForWhom, Icon};
use crate::error::AppError;
use crate::language::{Texts, use_texts};
use crate::live::Unsent;
use crate::paths;
use crate::server_fns::sign_out;
use crate::state::{State, use_state};
use crate::{text, words};

/// How long the server may take to end the session before one says that it does not answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// The foot of the list.
#[component]
pub fn ProfileBar() -> impl IntoView {
    let (t, state, layers) = (use_texts(), use_state(), use_layers());
    let problem = RwSignal::new(None);
    let leaving = Leaving {
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
            if layers.load().await.is_ok() {
                leaving.unsent.set(Some(unsent));
            } else {
                // The question's own code does not come: the browser asks.
                let deletes = window().confirm_with_message(t.leaving.plain).unwrap_or_default();
                let decision = if deletes { Decision::Delete } else { Decision::Keep };
                leaving.decided.run(decision);
            }
        });
    };
    let question = move || {
        let unsent = leaving.unsent.get()?;
        layers.when_loaded(|layers| (layers.leaving)(leaving, unsent))
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
        {question}
    }
}

/// Signs out. What is to be deleted goes once the server has ended the session: nobody is left
/// signed in without their drafts.
fn leave(t: &'static Texts, state: State, problem: RwSignal<Option<String>>, decision: Decision) {
    let say_unreached = move || problem.set(Some(t.sign_out_unreached.to_owned()));
    let is_over = Rc::new(Cell::new(false));
    let was_over = is_over.clone();
    // On a line that died without a word a call is not answered for minutes.
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
                // A new page: nothing of this person stays in memory.
                _ = window().location().assign(paths::SIGN_IN);
            }
            Err(AppError::Unreached) => say_unreached(),
            Err(error) => problem.set(Some(words::sentence(t, error))),
        }
    });
}

#[cfg(feature = "hydrate")]
use crate::live::keeping::{forget_all_but_unsent, forget_person, unsent};

#[cfg(not(feature = "hydrate"))]
use plain::{forget_all_but_unsent, forget_person, unsent};

/// On the server nothing is kept.
#[cfg(not(feature = "hydrate"))]
mod plain {
    use crate::live::Unsent;
    use crate::state::State;

    pub fn unsent(_: State) -> Unsent {
        Unsent::default()
    }
    pub fn forget_all_but_unsent(_: State) {}
    pub fn forget_person(_: State) {}
}
