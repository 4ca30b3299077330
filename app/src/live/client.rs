//! The live client's own state, which pages do not read: the socket's queue, the times of the
//! connection, flags of running tasks, drafts that the storage refused. Browser only; part of
//! [`crate::state::State`].

use std::collections::HashMap;

use futures::channel::mpsc;
use leptos::prelude::*;
use protocol::{ClientFrame, ConversationId};

use super::drafts::UnsavedDraft;

/// A cheap copy of handles.
#[derive(Clone, Copy)]
pub(crate) struct LiveClient {
    /// Number of this tab among those of the browser.
    pub(crate) tab: StoredValue<u64>,
    /// The outbound queue of the open socket.
    pub(crate) link: StoredValue<Option<mpsc::Sender<ClientFrame>>>,
    /// Since when there is no socket, on the clock of [`crate::browser::dom::uptime_ms`].
    pub(crate) down_since: StoredValue<Option<i64>>,
    /// When the current attempt to open a socket began, on the same clock.
    pub(crate) opening_since: StoredValue<Option<i64>>,
    /// Whether the polling task runs.
    pub(crate) polling: StoredValue<bool>,
    /// Whether the server answers HTTP requests while there is no socket.
    pub(crate) calls_work: StoredValue<bool>,
    /// Whether a fetch of missing messages is running.
    pub(crate) filling: StoredValue<bool>,
    /// When the last typing event was sent, on the clock of [`crate::browser::dom::uptime_ms`]; `None` after
    /// the event that ends typing.
    pub(crate) typing_sent_ms: StoredValue<Option<i64>>,
    /// Where and when the user typed last, on the same clock; `None` once the field is empty.
    pub(crate) typed: StoredValue<Option<(ConversationId, i64)>>,
    /// Drafts that the browser's storage refused.
    pub(crate) unsaved_drafts: StoredValue<HashMap<ConversationId, UnsavedDraft>>,
    /// Whether the user signed out or deleted the account; the page then stores nothing more.
    pub(crate) has_left: StoredValue<bool>,
    /// Whether another attempt to store refused data is scheduled.
    pub(crate) save_retry_pending: StoredValue<bool>,
}

impl LiveClient {
    pub(crate) fn new() -> Self {
        Self {
            tab: StoredValue::new(0),
            link: StoredValue::new(None),
            down_since: StoredValue::new(None),
            opening_since: StoredValue::new(None),
            polling: StoredValue::new(false),
            calls_work: StoredValue::new(false),
            filling: StoredValue::new(false),
            typing_sent_ms: StoredValue::new(None),
            typed: StoredValue::new(None),
            unsaved_drafts: StoredValue::new(HashMap::new()),
            has_left: StoredValue::new(false),
            save_retry_pending: StoredValue::new(false),
        }
    }

    /// Queues a frame for the socket. Returns `false` if there is no socket or its queue is full.
    /// The frame is then dropped, and the next connection repeats its effect.
    pub(crate) fn send_frame(&self, frame: ClientFrame) -> bool {
        self.link
            .try_update_value(|link| link.as_mut().is_some_and(|link| link.try_send(frame).is_ok()))
            .unwrap_or(false)
    }
}
