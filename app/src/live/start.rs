//! Brings the page to life once it is hydrated. Browser only; `App` calls it once.

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::UserId;
use wasm_bindgen::JsCast;
use web_sys::StorageEvent;

use super::storage::{self, Change};
use super::{connection, sender, writing};
use crate::attention;
use crate::dom::{self, Listener};
use crate::state::State;

/// Starts the live part: local times, what is kept in the browser, the connection. Effects run
/// after hydration, so nothing here can make the first render differ from the server's.
pub fn start(state: State) {
    Effect::new(move |_| {
        state.local_time.set(true);
        state.sort_list();
        state.project_open();
        if let Some(me) = state.me() {
            state.begin_outbox(dom::tab_number());
            bring_back(state, me.id);
            listen_to_other_tabs(state, me.id);
            connection::start(state);
        }
        // For nobody as well: then nothing of whoever was here before is counted or shown.
        attention::start(state);
        spawn_local(async {
            // One turn later every effect of this render has run: all handlers are in place.
            gloo_timers::future::TimeoutFuture::new(0).await;
            dom::mark_live();
        });
    });
}

fn bring_back(state: State, me: UserId) {
    for entry in storage::unsent(me) {
        state.with_outbox(|outbox| outbox.add(entry));
    }
    writing::show_drafts(state);
}

fn listen_to_other_tabs(state: State, me: UserId) {
    Listener::new(&window(), "storage", move |event| {
        let Ok(event) = event.dyn_into::<StorageEvent>() else { return };
        let Some(key) = event.key() else { return };
        match storage::change(me, &key, event.new_value()) {
            Some(Change::Put(entry)) => {
                state.with_outbox(|outbox| outbox.add(entry));
                sender::pump(state);
            }
            Some(Change::Gone(client_id)) => {
                state.with_outbox(|outbox| outbox.settled_elsewhere(client_id));
                sender::pump(state);
            }
            Some(Change::Draft(conversation, draft)) => {
                writing::show_draft(state, conversation, draft);
            }
            None => {}
        }
    })
    .forget();
}
