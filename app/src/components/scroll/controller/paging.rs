//! Loads rows: older and newer ones as an edge comes near, the newest ones, or those at a kept
//! position.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, Cursor};

use super::ScrollController;
use crate::live::resync;
use crate::live::storage::SavedPosition;
use crate::server_fns::load_history;
use crate::state::Step;

impl ScrollController {
    /// Loads older or newer rows.
    pub(super) fn load(self: &Rc<Self>, older: bool) {
        if self.position_to_restore.get().is_some() || self.loading.replace(true) {
            return;
        }
        let controller = Rc::clone(self);
        spawn_local(async move {
            let before = controller.open.first_seq();
            let step =
                if older { controller.state.show_older() } else { controller.state.show_newer() };
            if let Step::Fetch(id, cursor) = step
                && id == controller.id
                && !controller.fetch(id, cursor).await
            {
                // A pause, because the edge is still in view and would trigger the next attempt at
                // once.
                gloo_timers::future::TimeoutFuture::new(2_000).await;
            }
            controller.loading.set(false);
            let came = before.0 - controller.open.first_seq().0;
            if older && came > 0 && !controller.view.announce.is_disposed() {
                let came = u32::try_from(came).unwrap_or(0);
                controller
                    .view
                    .announce
                    .set(Some(controller.t.count(controller.t.older_loaded, came)));
            }
            // Observing again reports an edge that is still near. If nothing is left beyond the
            // edge, that would repeat for ever.
            if step != Step::Nothing {
                controller.observe_edges_anew();
            }
        });
    }

    async fn fetch(&self, id: ConversationId, cursor: Cursor) -> bool {
        let held = self.state.summary(id).map(|held| held.last_seq);
        let Ok(page) = load_history(id, cursor).await else { return false };
        if held.is_some_and(|held| page.last_seq < held) {
            self.state.note_contradiction();
        }
        resync::after_page(self.state, id, self.state.merge_page(&page)).await;
        true
    }

    /// Scrolls to the newest message, and fetches it first if needed.
    pub fn go_to_latest(self: &Rc<Self>) {
        let controller = Rc::clone(self);
        self.position_to_restore.set(None);
        spawn_local(async move {
            if let Some(id) = controller.state.latest_is_elsewhere() {
                controller.fetch(id, Cursor::Latest).await;
            }
            controller.state.follow_latest();
            // If this fails, the edge observer triggers the next attempt.
            _ = resync::fill(controller.state).await;
            // Leptos renders the rows in a later task.
            gloo_timers::future::TimeoutFuture::new(0).await;
            controller.at_bottom.set(true);
            controller.scroller.set_scroll_top(0);
            controller.measure();
            controller.observe_edges_anew();
        });
    }

    /// Restores the position where the user left. Rows that are not on the page are rendered in a
    /// later task; the view is positioned then, before the next paint.
    pub(super) fn return_to(self: &Rc<Self>, position: SavedPosition) {
        self.position_to_restore.set(Some(position));
        if self.restore_position() || self.state.turn_to(position.seq) {
            return;
        }
        let controller = Rc::clone(self);
        spawn_local(async move {
            controller.fetch(controller.id, Cursor::Around(position.seq)).await;
            if controller.position_to_restore.get().is_some()
                && !controller.state.turn_to(position.seq)
            {
                controller.position_to_restore.set(None);
                controller.measure();
            }
        });
    }
}
