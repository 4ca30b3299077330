//! The counterparts for the server. The names are those that [`super`] takes from the browser's
//! modules; their documentation is there.

use std::time::Duration;

use leptos::ev::{EventDescriptor, KeyboardEvent};
use leptos::prelude::*;
use leptos::web_sys::{Element, FocusEvent, HtmlElement, HtmlFormElement};
use protocol::{ConversationId, Seq};

use crate::language::EmojiTexts;
use crate::passkeys::{PasskeyCall, PasskeyFailure};
use crate::preferences::Preferences;
use crate::state::State;

#[derive(Clone, Copy)]
pub struct FocusBefore;

impl FocusBefore {
    pub fn new() -> Self {
        Self
    }
    pub fn note(self, _: &FocusEvent) {}
    pub fn get(self) -> Option<HtmlElement> {
        None
    }
}

pub fn address_of(path: &str) -> String {
    path.to_owned()
}
pub fn after(_: Duration, _: impl FnOnce() + 'static) {}
pub async fn call_authenticator(_: PasskeyCall, _: &str) -> Result<String, PasskeyFailure> {
    Err(PasskeyFailure::Failed)
}
pub async fn can_fill_passkeys() -> bool {
    false
}
pub fn can_share() -> bool {
    false
}
pub fn choose_preferences(_: Preferences, _: &HtmlFormElement) {}
pub fn copy(_: &str, _: RwSignal<bool>) {}
pub async fn copy_text(_: &str) -> bool {
    false
}
pub fn element(_: &str) -> Option<Element> {
    None
}
pub fn elements(_: &str) -> Vec<HtmlElement> {
    Vec::new()
}
pub fn fetch_emoji(_: &EmojiTexts, _: bool, _: Callback<()>) {}
pub fn has_keyboard() -> bool {
    true
}
pub fn has_passkeys() -> bool {
    true
}
pub fn is_checked(_: &HtmlFormElement, _: &str) -> bool {
    false
}
pub fn is_mac() -> bool {
    false
}
pub fn is_online() -> bool {
    true
}
pub fn keeps_focus(_: &FocusEvent) -> bool {
    false
}
/// Does nothing, because the server takes the context from the request.
pub fn provide_time_context(_: String) {}
/// Empty, because the server's origin check refuses such a request before a message is chosen.
pub fn right_address() -> String {
    String::new()
}
pub fn share(_: &str) {}
pub fn uptime_ms() -> i64 {
    0
}
pub fn walk(_: &KeyboardEvent, _: &str) {}
pub fn walk_menu(_: &KeyboardEvent) {}
pub fn while_shown<E: EventDescriptor>(_: E, _: impl Fn(E::EventType) + 'static) {}

pub fn down_since(_: State) -> Option<i64> {
    None
}
pub fn left_at(_: State, _: ConversationId) -> Option<Seq> {
    None
}
pub fn start_live_client(_: State) {}

pub mod history_layers {
    pub fn start() {}
}

pub mod keyboard {
    use leptos_router::NavigateOptions;

    use super::State;

    pub fn start(_: State, _: impl Fn() + 'static, _: impl Fn(&str, NavigateOptions) + 'static) {}
}

pub mod offline_copies {
    use super::{ConversationId, State};

    pub async fn bring(_: State, _: ConversationId) {}
    pub fn choose(_: State, _: bool) -> bool {
        false
    }
    pub fn is_chosen(_: State) -> bool {
        false
    }
}

pub mod saving {
    use super::State;
    use crate::live::Unsent;

    pub fn forget_all_but_unsent(_: State) {}
    pub fn forget_deleted_account(_: State) {}
    pub fn forget_person(_: State) {}
    pub fn unsent(_: State) -> Unsent {
        Unsent::default()
    }
}

pub mod sender {
    use super::State;
    use crate::live::rows::Key;

    pub fn delete(_: State, _: Key) {}
    pub fn retry(_: State, _: Key) {}
}

pub mod stored_choices {
    use crate::notifications::Notifications;

    pub fn choose_notices(_: Notifications, _: bool) {}
    pub fn choose_sound(_: Notifications, _: bool) {}
    pub fn choose_text(_: Notifications, _: bool) {}
}

pub mod writing {
    use leptos::html::Textarea;
    use leptos::prelude::*;
    use leptos::web_sys::HtmlTextAreaElement;
    use protocol::Body;

    use super::{ConversationId, State};
    use crate::text::TextStats;

    #[derive(Clone, Copy)]
    pub struct DraftKeeper;

    pub fn sent(_: DraftKeeper, _: &HtmlTextAreaElement, _: Body) {}
    pub fn show_drafts(_: State) {}
    pub fn start(
        _: ConversationId,
        _: NodeRef<Textarea>,
        _: RwSignal<TextStats>,
        _: Callback<()>,
    ) -> DraftKeeper {
        DraftKeeper
    }
    pub fn typed(_: DraftKeeper, _: &HtmlTextAreaElement) {}
    pub fn written_in(_: &HtmlTextAreaElement) -> TextStats {
        TextStats::default()
    }
}
