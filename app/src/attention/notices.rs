//! The browser's notifications. Browser only.
//!
//! One a conversation: a newer one takes the place of the older. The worker shows them, so that a
//! click finds the page again; without a worker the page does it itself.

use std::cell::RefCell;

use leptos::prelude::*;
use protocol::ConversationId;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Notification, NotificationOptions};

use super::worker;
use crate::paths;
use crate::state::State;

const PICTURE: &str = "/icons/icon-192.png";

thread_local! {
    /// Those that the page shows itself, at most one a conversation.
    static OWN: RefCell<Vec<Notification>> = const { RefCell::new(Vec::new()) };
}

/// Shows one.
pub async fn show(state: State, id: ConversationId, title: &str, body: &str) {
    let options = NotificationOptions::new();
    options.set_body(body);
    options.set_icon(PICTURE);
    options.set_tag(&id.to_string());
    options.set_data(&JsValue::from(paths::conversation(id)));
    // It comes forward again when it is replaced; the sound is ours.
    options.set_renotify(true);
    options.set_silent(Some(true));
    // What the browser refuses is not shown; the page itself still counts it.
    match worker::registration().await {
        Some(worker) => {
            if let Ok(shown) = worker.show_notification_with_options(title, &options) {
                _ = JsFuture::from(shown).await;
            }
        }
        None => {
            if let Ok(notice) = Notification::new_with_options(title, &options) {
                show_own(state, id, notice);
            }
        }
    }
}

fn show_own(state: State, id: ConversationId, notice: Notification) {
    let clicked = Closure::once_into_js(move || {
        _ = window().focus();
        state.attention.wanted.set(Some(id));
    });
    notice.set_onclick(clicked.dyn_ref());
    OWN.with_borrow_mut(|own| {
        own.retain(|older| older.tag() != notice.tag());
        own.push(notice);
    });
}

/// Closes those of conversations that have nothing unread, whoever showed them.
pub async fn close_read(state: State) {
    let read = |notice: &Notification| {
        let id = notice.tag().and_then(|tag| tag.parse().ok());
        id.and_then(|id| state.summary(id)).is_none_or(|summary| summary.unread == 0)
    };
    OWN.with_borrow_mut(|own| {
        own.retain(|notice| {
            let read = read(notice);
            if read {
                notice.close();
            }
            !read
        });
    });
    let Some(worker) = worker::registration().await else { return };
    let Ok(shown) = worker.get_notifications() else { return };
    let Ok(shown) = JsFuture::from(shown).await else { return };
    for notice in js_sys::Array::from(&shown).iter() {
        if let Ok(notice) = notice.dyn_into::<Notification>()
            && read(&notice)
        {
            notice.close();
        }
    }
}
