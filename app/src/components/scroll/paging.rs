//! Brings rows: older and newer ones as their edge comes near, the newest, a place that was left.

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
    /// Shows older or newer rows.
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
                // Not so fast: the edge is still there, and would ask again at once.
                gloo_timers::future::TimeoutFuture::new(2_000).await;
            }
            reader.loading.set(false);
            let came = before.0 - reader.open.first_seq().0;
            if older && came > 0 && !reader.view.say.is_disposed() {
                let came = u32::try_from(came).unwrap_or(0);
                reader.view.say.set(Some(reader.t.count(reader.t.older_loaded, came)));
            }
            // Observing anew tells again if the edge is still near. With nothing beyond the edge
            // that would go on for ever.
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

    /// Goes to the newest message, which is fetched first if it is not held.
    pub fn go_to_latest(self: &Rc<Self>) {
        let reader = Rc::clone(self);
        self.returning.set(None);
        spawn_local(async move {
            if let Some(id) = reader.state.latest_is_elsewhere() {
                reader.fetch(id, Cursor::Latest).await;
            }
            reader.state.follow_latest();
            // What could not be read is asked for again by the edge, which is still there.
            _ = catch_up::fill(reader.state).await;
            // The rows are put in place by a later turn.
            gloo_timers::future::TimeoutFuture::new(0).await;
            reader.at_bottom.set(true);
            reader.scroller.set_scroll_top(0);
            reader.measure();
            reader.observe_edges_anew();
        });
    }

    /// Goes back to where one left the conversation. The rows that are not on the page are put
    /// there by a later turn, and then the view is, before anything is painted.
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
