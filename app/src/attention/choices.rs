//! What the person wants to be told, in this browser, and what the browser allows.

/// What the person wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Notifications; `None` as long as they have not said.
    pub notices: Option<bool>,
    /// The words of the message in them.
    pub text: bool,
    /// A sound.
    pub sound: bool,
}

impl Default for Choices {
    fn default() -> Self {
        Self { notices: None, text: true, sound: true }
    }
}

/// What the browser allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// It asks the person first.
    #[default]
    Asks,
    /// Notifications may be shown.
    Granted,
    /// They may not, until the person changes it in the browser's own settings.
    Denied,
    /// This browser has none.
    Missing,
}

#[cfg(feature = "hydrate")]
pub use browser::{choose_notices, choose_sound, choose_text, read};
#[cfg(not(feature = "hydrate"))]
pub use server::{choose_notices, choose_sound, choose_text};

/// On the server nobody chooses; the components that offer it are rendered there all the same.
#[cfg(not(feature = "hydrate"))]
mod server {
    use crate::attention::Attention;

    /// See the browser's.
    pub fn choose_notices(_: Attention, _: bool) {}

    pub use choose_notices as choose_text;
    pub use choose_notices as choose_sound;
}

#[cfg(feature = "hydrate")]
mod browser {
    use leptos::prelude::*;
    use leptos::task::spawn_local;
    use wasm_bindgen::JsValue;
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Notification, NotificationPermission};

    use super::{Choices, Permission};
    use crate::attention::Attention;
    use crate::dom;
    use crate::live::storage;

    const NOTICES: &str = "notices";
    const TEXT: &str = "notice-text";
    const SOUND: &str = "sound";

    /// Learns what was chosen and what is allowed: at the start, and whenever the person is back,
    /// since another tab or the browser's settings may have changed it.
    pub fn read(attention: Attention) {
        let said = |name| storage::kept(name).map(|value| value == "on");
        let default = Choices::default();
        let choices = Choices {
            notices: said(NOTICES),
            text: said(TEXT).unwrap_or(default.text),
            sound: said(SOUND).unwrap_or(default.sound),
        };
        attention.choices.set(choices);
        attention.permission.set(permission());
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

    /// Turns notifications on or off. Turning on asks the browser, so it must come from a click;
    /// what the person then says to the browser counts.
    pub fn choose_notices(attention: Attention, on: bool) {
        spawn_local(answer(attention, on));
    }

    async fn answer(attention: Attention, on: bool) {
        if on && permission() == Permission::Asks {
            _ = allowed().await;
        }
        let permission = permission();
        attention.permission.set(permission);
        // Whoever closed the browser's question has not answered: it can be asked again.
        let answered = !on || permission != Permission::Asks;
        if answered {
            keep(NOTICES, on && permission == Permission::Granted);
        }
        attention.asking.set(None);
        read(attention);
    }

    async fn allowed() -> Result<JsValue, JsValue> {
        JsFuture::from(Notification::request_permission()?).await
    }

    /// Whether notifications hold the words of the message.
    pub fn choose_text(attention: Attention, on: bool) {
        keep(TEXT, on);
        read(attention);
    }

    /// Whether there is a sound.
    pub fn choose_sound(attention: Attention, on: bool) {
        keep(SOUND, on);
        read(attention);
    }

    fn keep(name: &str, on: bool) {
        storage::keep(name, if on { "on" } else { "off" });
    }
}
