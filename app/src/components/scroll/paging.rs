//! Loads rows: older and newer ones as an edge comes near, the newest ones, or those at a kept
//! position.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, Cursor};

use super::Reader;
use crate::live::catch_up;
use crate::live::storage::KeptPlace;
use crate::server_fns::load_history;
use crate::state::Step;

impl Reader {
    /// Loads older or newer rows.
    pub(super) fn load(self: &Rc<Self>, older: bool) {
        if self.returning.get().is_some() || self.loading.replace(true) {
            return;
        }
        let reader = Rc::clone(self);
        spawn_local(async move {
            let before = reader.open.first_seq();
            let step = if older { reader.state.show_older() } else { reader.state.show_newer() };
            if let Step::Fetch(id, cursor) = step
                && id == reader.id
                && !reader.fetch(id, cursor).await
            {
                // A pause, because the edge is still in view and would trigger the next attempt at
                // once.
                gloo_timers::future::TimeoutFuture::new(2_000).await;
            }
            reader.loading.set(false);
            let came = before.0 - reader.open.first_seq().0;
            if older && came > 0 && !reader.view.say.is_disposed() {
                let came = u32::try_from(came).unwrap_or(0);
                reader.view.say.set(Some(reader.t.count(reader.t.older_loaded, came)));
            }
            // Observing again reports an edge that is still near. If nothing is left beyond the
            // edge, that would repeat for ever.
            if step != Step::Nothing {
                reader.observe_edges_anew();
            }
        });
    }

    async fn fetch(&self, id: ConversationId, cursor: Cursor) -> bool {
        let held = self.state.summary(id).map(|held| held.last_seq);
        let Ok(page) = load_history(id, cursor).await else { return false };
        if held.is_some_and(|held| page.last_seq < held) {
            self.state.doubt();
        }
        catch_up::after_page(self.state, id, self.state.merge_page(&page)).await;
        true
    }

    /// Scrolls to the newest message, and fetches it first if needed.
    pub fn go_to_latest(self: &Rc<Self>) {
        let reader = Rc::clone(self);
        self.returning.set(None);
        spawn_local(async move {
            if let Some(id) = reader.state.latest_is_elsewhere() {
                reader.fetch(id, Cursor::Latest).await;
            }
            reader.state.follow_latest();
            // If this fails, the edge observer triggers the next attempt.
            _ = catch_up::fill(reader.state).await;
            // Leptos renders the rows in a later task.
            gloo_timers::future::TimeoutFuture::new(0).await;
            reader.at_bottom.set(true);
            reader.scroller.set_scroll_top(0);
            reader.measure();
            reader.observe_edges_anew();
        });
    }

    /// Restores the position where the user left. Rows that are not on the page are rendered in a
    /// later task; the view is positioned then, before the next paint.
    pub(super) fn return_to(self: &Rc<Self>, place: KeptPlace) {
        self.returning.set(Some(place));
        if self.arrive() || self.state.turn_to(place.seq) {
            return;
        }
        let reader = Rc::clone(self);
        spawn_local(async move {
            reader.fetch(reader.id, Cursor::Around(place.seq)).await;
            if reader.returning.get().is_some() && !reader.state.turn_to(place.seq) {
                reader.returning.set(None);
                reader.measure();
            }
        });
    }
}
