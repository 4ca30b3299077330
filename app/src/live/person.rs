//! Whose the browser is: several tabs share one cookie, and somebody may sign out, or in as another
//! person, in any of them. A page that is not this browser's person's any more is loaded anew; one
//! whose session is over says so and waits for the next sign-in. Browser only.
//!
//! Three signs lead here: the answer of any call (`crate::calls`), the end of the socket, and a mark in
//! the browser's storage that each page leaves when it begins. Only an answer of the server decides.

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::UserId;
use wasm_bindgen::JsCast;
use web_sys::{PageTransitionEvent, StorageEvent};

use super::connection::Wake;
use super::storage;
use crate::calls::{self, News};
use crate::dom::Listener;
use crate::paths;
use crate::server_fns::get_settings;
use crate::state::{Connection, State};

/// The mark of the page that began last: its person and its tab.
const MARK: &str = "person";

/// From now on calls say for whom this page is, and what their answers say of it is heeded. `wake` is
/// told when the connection has to look at that.
pub fn begin(state: State, me: UserId, wake: Wake) {
    let to_tell = wake.clone();
    calls::begin(me, move |news| match news {
        News::SignedOut if state.connection.get_untracked() != Connection::SignedOut => {
            state.connection.set(Connection::SignedOut);
            to_tell.wake();
        }
        News::SignedOut => {}
        News::OtherPerson => leave(),
    });
    listen(state, me, wake);
}

/// Tells other tabs whose page begins here; nobody's as well, after a sign-out.
pub fn tell_other_tabs(me: Option<UserId>, tab: u64) {
    let me = me.map(|me| me.to_string()).unwrap_or_default();
    storage::keep(MARK, &format!("{me} {tab}"));
}

/// Asks the server when another tab's page begins that is not this person's, or may be the sign-in that
/// this page waits for; and when the browser brings this page back as it was.
fn listen(state: State, me: UserId, wake: Wake) {
    Listener::new(&window(), "storage", move |event| {
        let Ok(event) = event.dyn_into::<StorageEvent>() else { return };
        if event.key().as_deref() != Some("duet:person") {
            return;
        }
        let mark = event.new_value().unwrap_or_default();
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

/// Asks whose session it is; `begin` heeds the answer.
fn ask() {
    spawn_local(async { _ = get_settings().await });
}

/// Whether this page's person is signed in.
pub async fn is_signed_in() -> bool {
    get_settings().await.is_ok()
}

/// The page of whoever is signed in now. The drafts and unsent messages of this page's person stay in
/// the browser's storage, under their own name.
pub fn leave() {
    _ = window().location().replace(paths::HOME);
}
