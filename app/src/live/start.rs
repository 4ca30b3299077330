//! Starts the live client once the page is hydrated. Browser only; `App` calls it once.

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ClientId, UserId};
use wasm_bindgen::JsCast;
use web_sys::StorageEvent;

use super::storage::{self, StorageChange};
use super::{connection, drafts, offline_copies, saving, sender, session_watch, today, writing};
use crate::browser::dom::{self, Listener};
use crate::browser::page_script;
use crate::notifications;
use crate::state::State;

/// Starts the live client: local times, data from the browser's storage, the connection. It waits
/// for the whole view, so that it cannot change the first render and a page whose start failed runs
/// none of it.
pub fn start(state: State) {
    let begun = page_script::begun();
    let me = state.me().map(|me| me.id);
    Effect::new(move |_| {
        if !begun.get() {
            return;
        }
        state.live.set(true);
        today::start(state);
        state.sort_list();
        state.project_open();
        let tab = dom::tab_number();
        if let Some(me) = me {
            state.client.tab.set_value(tab);
            state.begin_outbox(tab);
            bring_back(state, me);
            listen_to_other_tabs(state, me);
            come_back(state, me);
            saving::start(state);
            session_watch::begin(state, me, connection::start(state));
        }
        offline_copies::start(state, me);
        session_watch::tell_other_tabs(me, tab);
        // Pages without a user start it too, so that no notification or count of an earlier user
        // remains.
        notifications::start(state);
        spawn_local(async {
            // One turn later every effect of this render has run and all handlers are in place.
            gloo_timers::future::TimeoutFuture::new(0).await;
            page_script::mark_live();
        });
    });
}

fn bring_back(state: State, me: UserId) {
    for entry in storage::unsent(me) {
        state.with_outbox(|outbox| outbox.add(entry, dom::moment()));
    }
    writing::show_drafts(state);
}

fn listen_to_other_tabs(state: State, me: UserId) {
    Listener::new(&window(), "storage", move |event| {
        let Ok(event) = event.dyn_into::<StorageEvent>() else { return };
        let Some(key) = event.key() else { return };
        match storage::change(me, &key, event.old_value(), event.new_value()) {
            Some(StorageChange::Put(entry)) => {
                state.with_outbox(|outbox| outbox.add(entry, dom::moment()));
                sender::pump(state);
            }
            Some(StorageChange::Gone(client_id)) => {
                state.with_outbox(|outbox| outbox.settled_elsewhere(client_id));
                sender::pump(state);
            }
            Some(StorageChange::Draft(conversation, _, after)) => {
                writing::show_draft(state, conversation, &drafts::shown(&after));
            }
            None => {}
        }
    })
    .forget();
}

/// Reads missed changes when the back/forward cache restores the page, which received no storage
/// events.
fn come_back(state: State, me: UserId) {
    Listener::new(&window(), "pageshow", move |event| {
        let held = js_sys::Reflect::get(&event, &"persisted".into());
        if held.is_ok_and(|held| held.is_truthy()) {
            read_missed_changes(state, me);
        }
    })
    .forget();
}

fn read_missed_changes(state: State, me: UserId) {
    let kept = storage::unsent(me);
    let is_gone = |id: &ClientId| kept.iter().all(|entry| entry.client_id != *id);
    let gone: Vec<ClientId> = state.read_outbox(|outbox| {
        let unsaved: Vec<ClientId> = outbox.unsaved().map(|entry| entry.client_id).collect();
        outbox.ids().filter(|id| is_gone(id) && !unsaved.contains(id)).collect()
    });
    for client_id in gone {
        state.with_outbox(|outbox| outbox.settled_elsewhere(client_id));
    }
    bring_back(state, me);
    sender::pump(state);
}
