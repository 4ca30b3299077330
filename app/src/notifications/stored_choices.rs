//! Reads and changes the user's notification settings in this browser. Browser only.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Notification, NotificationPermission};

use super::Notifications;
use super::choices::{Choices, Permission};
use crate::browser::dom;
use crate::live::storage;

const NOTICES: &str = "notices";
const TEXT: &str = "notice-text";
const SOUND: &str = "sound";

/// Reads settings and permission, at start and whenever the page gains focus, because another
/// tab or the browser's settings may have changed them.
pub fn read(notifications: Notifications) {
    let stored = |name| storage::kept(name).map(|value| value == "on");
    let default = Choices::default();
    let choices = Choices {
        notices: stored(NOTICES),
        text: stored(TEXT).unwrap_or(default.text),
        sound: stored(SOUND).unwrap_or(default.sound),
    };
    notifications.choices.set(choices);
    notifications.permission.set(permission());
}

fn permission() -> Permission {
    if !dom::has(&window(), "Notification") {
        return Permission::Missing;
    }
    match Notification::permission() {
        NotificationPermission::Granted => Permission::Granted,
        NotificationPermission::Denied => Permission::Denied,
        _ => Permission::Asks,
    }
}

/// Turns notifications on or off. Turning them on requests the browser's permission, so the
/// call must come from a click. The setting follows the permission that the user grants.
pub fn choose_notices(notifications: Notifications, on: bool) {
    spawn_local(answer(notifications, on));
}

async fn answer(notifications: Notifications, on: bool) {
    if on && permission() == Permission::Asks {
        _ = allowed().await;
    }
    let permission = permission();
    notifications.permission.set(permission);
    // A user who closed the browser's prompt has not decided; the prompt may appear again.
    let answered = !on || permission != Permission::Asks;
    if answered {
        keep(NOTICES, on && permission == Permission::Granted);
    }
    notifications.prompt.set(None);
    read(notifications);
}

async fn allowed() -> Result<JsValue, JsValue> {
    JsFuture::from(Notification::request_permission()?).await
}

/// Turns message text in notifications on or off.
pub fn choose_text(notifications: Notifications, on: bool) {
    keep(TEXT, on);
    read(notifications);
}

/// Turns the sound on or off.
pub fn choose_sound(notifications: Notifications, on: bool) {
    keep(SOUND, on);
    read(notifications);
}

fn keep(name: &str, on: bool) {
    storage::keep(name, if on { "on" } else { "off" });
}
