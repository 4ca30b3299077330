//! The browser's notifications. Browser only.
//!
//! Each conversation has at most one notification; a newer one replaces it. The service worker
//! shows notifications so that a click can find the page. Without a worker the page shows them
//! itself.

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
    /// Notifications that the page shows itself, at most one per conversation.
    static OWN: RefCell<Vec<Notification>> = const { RefCell::new(Vec::new()) };
}

/// Shows or replaces the notification of a conversation.
pub async fn show(state: State, id: ConversationId, title: &str, body: &str) {
    let options = NotificationOptions::new();
    options.set_body(body);
    options.set_icon(PICTURE);
    options.set_tag(&id.to_string());
    options.set_data(&JsValue::from(paths::conversation(id)));
    // A replaced notification appears again. It is silent because `sound` plays the sound.
    options.set_renotify(true);
    options.set_silent(Some(true));
    // Errors are ignored, because the badge still counts the message.
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
        state.notifications.wanted.set(Some(id));
    });
    notice.set_onclick(clicked.dyn_ref());
    OWN.with_borrow_mut(|own| {
        own.retain(|older| older.tag() != notice.tag());
        own.push(notice);
    });
}

/// Closes the notifications of conversations without unread messages, those of other tabs included.
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
