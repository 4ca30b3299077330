//! Detects that the session of this page changed. All tabs share one cookie, and the user may sign
//! out, or sign in as another user, in any of them. A page of another user is loaded again; a page
//! without a session shows that and waits for the next sign-in. Browser only.
//!
//! Three triggers lead here: the response of any HTTP request (`crate::calls`), the end of the
//! socket, and a storage key that each page writes when it starts. Only the server's response
//! decides.

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::UserId;
use wasm_bindgen::JsCast;
use web_sys::{PageTransitionEvent, StorageEvent};

use super::wake::Wake;
use super::{saving, storage};
use crate::browser::dom::Listener;
use crate::calls::{self, SessionChange};
use crate::paths;
use crate::server_fns::get_settings;
use crate::state::{Connection, State};

/// Storage key of the page that started last. Its value is that page's user and tab.
const MARK: &str = "person";

/// Makes requests name this page's user, and handles responses that reveal another session. `wake`
/// wakes the connection task when the session ends.
pub fn begin(state: State, me: UserId, wake: Wake) {
    let to_tell = wake.clone();
    calls::begin(me, move |news| match news {
        SessionChange::SignedOut if state.connection.get_untracked() != Connection::SignedOut => {
            state.connection.set(Connection::SignedOut);
            to_tell.wake();
        }
        SessionChange::SignedOut => {}
        SessionChange::OtherPerson => leave(),
    });
    listen(state, me, wake);
}

/// Tells other tabs which user's page starts here; also a page without a user, after a sign-out.
pub fn tell_other_tabs(me: Option<UserId>, tab: u64) {
    let me = me.map(|me| me.to_string()).unwrap_or_default();
    storage::keep(MARK, &format!("{me} {tab}"));
}

/// Forgets the user when another tab deletes the account. Checks the session when a page of another
/// user starts in another tab, and when the browser restores this page from its back/forward cache.
/// A signed-out page wakes the connection task, which checks for a new sign-in.
fn listen(state: State, me: UserId, wake: Wake) {
    Listener::new(&window(), "storage", move |event| {
        let Ok(event) = event.dyn_into::<StorageEvent>() else { return };
        let (key, value) = (event.key().unwrap_or_default(), event.new_value());
        if storage::tells_of_deletion(me, &key, value.as_deref()) {
            // Nobody can sign in to the account again, so nothing is kept for it.
            saving::forget_person(state);
            return leave_for(paths::SIGN_IN);
        }
        if key != "duet:person" {
            return;
        }
        let mark = value.unwrap_or_default();
        let mine = mark.split(' ').next().is_some_and(|person| person == me.to_string());
        if state.connection.get_untracked() == Connection::SignedOut {
            wake.wake();
        } else if !mine {
            ask();
        }
    })
    .forget();
    Listener::new(&window(), "pageshow", move |event| {
        if event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted) {
            ask();
        }
    })
    .forget();
}

/// Sends any request; the handler set by `begin` evaluates the response.
fn ask() {
    spawn_local(async { _ = get_settings().await });
}

/// Checks with the server whether this page's user is signed in.
pub async fn is_signed_in() -> bool {
    get_settings().await.is_ok()
}

/// Loads the page of the user who is signed in now. This user's drafts and unsent messages stay in
/// the browser's storage under their user id.
pub fn leave() {
    leave_for(paths::HOME);
}

fn leave_for(path: &str) {
    // Fails only for invalid addresses.
    _ = window().location().replace(path);
}
