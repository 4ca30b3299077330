//! The scroll controller. Browser only; [`super::start`] starts it.
//!
//! `watch` calls this module when something changed, `geometry` finds rows by their position,
//! `paging` loads rows, and `keys` handles the keyboard.

mod geometry;
mod keys;
mod paging;
mod watch;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::html::{Div, Ol};
use leptos::prelude::*;
use protocol::{ConversationId, Seq};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, IntersectionObserver, ScrollLogicalPosition};

use geometry::{article_of, bottom, edge_of, in_64ths, scroll_to, seq_of, top};

use super::ScrollSignals;
use crate::browser::dom::has_keyboard;
use crate::components::message_menu::controls::MenuControls;
use crate::components::message_row::row_of;
use crate::language::{Texts, use_texts};
use crate::live::storage::{self, SavedPosition};
use crate::live::{marks, resync};
use crate::state::{OpenConversation, State};

/// Within this distance of the end the view counts as at the end.
const BOTTOM_PX: i32 = 50;
/// Messages in view for this long count as seen.
const SEEN_AFTER: Duration = Duration::from_millis(300);
/// How long a linked message is highlighted.
const HIGHLIGHT: Duration = Duration::from_secs(2);
/// How long the day chip is shown after scrolling.
const DAY_FOR: Duration = Duration::from_millis(1_200);
/// Distance of the day chip from the top of the view.
const DAY_PX: f64 = 56.0;

/// The scroll controller of one open conversation.
pub struct ScrollController {
    state: State,
    t: &'static Texts,
    id: ConversationId,
    open: OpenConversation,
    view: ScrollSignals,
    scroller: HtmlElement,
    /// The scrolled content.
    content: Element,
    list: HtmlElement,
    /// The first message in view and its distance from the end. The message, not its row, because
    /// the day and the divider above the message in the row come and go.
    anchor: RefCell<Option<(Element, f64)>>,
    /// The distance between the pane's header and the bottom of the view at the last measurement.
    edge: Cell<f64>,
    at_bottom: Cell<bool>,
    /// The newest message in view.
    in_view: Cell<Option<Seq>>,
    seen_timer: Cell<bool>,
    day_timer: Cell<Option<TimeoutHandle>>,
    loading: Cell<bool>,
    /// The position to save if the conversation is left now.
    position_to_save: Cell<Option<SavedPosition>>,
    /// The position to restore once its row is rendered.
    position_to_restore: Cell<Option<SavedPosition>>,
    edges: RefCell<Option<IntersectionObserver>>,
    /// The message that is the tab stop of the log.
    focused: RefCell<Option<HtmlElement>>,
    /// The controls of the message menu.
    menu: Rc<MenuControls>,
}

/// Starts the controller; returns the action of "jump to latest".
pub fn start(
    state: State,
    open: &OpenConversation,
    scroller: NodeRef<Div>,
    list: NodeRef<Ol>,
    view: ScrollSignals,
    target: Option<Seq>,
) -> Callback<()> {
    let t = use_texts();
    let controller = StoredValue::new_local(None::<Rc<ScrollController>>);
    let (id, keys, freshness) = (open.id, open.keys.clone(), open.freshness);
    resync::after_event(state, id, freshness);
    let open = open.clone();
    Effect::new(move |_| {
        let (Some(scroller), Some(list)) = (scroller.get(), list.get()) else { return };
        let elements = (scroller.unchecked_into(), list.unchecked_into());
        let Some(new) = ScrollController::new(state, t, open.clone(), view, elements) else {
            return;
        };
        new.begin(target);
        watch::watch(&new);
        keys::listen(&new);
        controller.set_value(Some(new));
    });
    let with_controller = move |act: &dyn Fn(&Rc<ScrollController>)| {
        controller.with_value(|controller| controller.iter().for_each(act));
    };
    // New rows and a new connection can both make further messages count as seen.
    Effect::new(move |_| {
        keys.track();
        if state.connection.get().brings_news() {
            with_controller(&ScrollController::mark_seen_soon);
        }
    });
    Effect::new(move |before: Option<u32>| {
        let wrote = state.wrote.get();
        if before.is_some_and(|before| before != wrote) {
            with_controller(&|controller| {
                // A reply marks the messages in view as read.
                controller.mark_seen();
                controller.go_to_latest();
            });
        }
        wrote
    });
    Callback::new(move |()| {
        with_controller(&|controller| {
            controller.go_to_latest();
            controller.focus_composer(has_keyboard());
        });
    })
}

impl ScrollController {
    /// Creates the controller with the scrolled element and its list. `None` if the list is not in
    /// the document.
    fn new(
        state: State,
        t: &'static Texts,
        open: OpenConversation,
        view: ScrollSignals,
        (scroller, list): (HtmlElement, HtmlElement),
    ) -> Option<Rc<Self>> {
        let content = list.parent_element()?;
        let menu = MenuControls::start(view.menu, open.clone(), scroller.clone(), list.clone());
        Some(Rc::new(Self {
            state,
            t,
            id: open.id,
            open,
            view,
            content,
            edge: Cell::new(edge_of(&scroller)),
            scroller,
            list,
            menu,
            anchor: RefCell::new(None),
            at_bottom: Cell::new(true),
            in_view: Cell::new(None),
            seen_timer: Cell::new(false),
            day_timer: Cell::new(None),
            loading: Cell::new(false),
            position_to_save: Cell::new(None),
            position_to_restore: Cell::new(None),
            edges: RefCell::new(None),
            focused: RefCell::new(None),
        }))
    }

    /// Opens at the linked message, else at the position where the user left, else at the first
    /// unread message, else at the end.
    fn begin(self: &Rc<Self>, target: Option<Seq>) {
        // `page.js` set the position before the first paint, and the user may have scrolled since.
        let is_placed = self.scroller.has_attribute("data-placed");
        _ = self.scroller.remove_attribute("data-placed");
        if let Some(row) = target.and_then(|seq| self.row(seq)) {
            if !is_placed {
                scroll_to(&row, ScrollLogicalPosition::Center);
            }
            _ = row.class_list().add_1("is-target");
            set_timeout(
                move || {
                    _ = row.class_list().remove_1("is-target");
                },
                HIGHLIGHT,
            );
        } else if let Some(position) =
            storage::position(self.state, self.id).filter(|_| target.is_none() && !is_placed)
        {
            self.return_to(position);
        } else if !is_placed {
            self.go_to_divider();
        }
        self.measure();
    }

    /// Scrolls to the first unread message, if it is on the page.
    pub fn go_to_divider(&self) {
        if let Ok(Some(divider)) = self.list.query_selector(".unread-divider") {
            scroll_to(&divider, ScrollLogicalPosition::Start);
        }
    }

    fn on_scroll(self: &Rc<Self>) {
        self.menu.release();
        // Browsers dispatch scroll events before resize observations of the same frame. A pending
        // compensation goes first; otherwise the shifted position would be taken for the user's
        // choice.
        if self.is_shifted() {
            self.hold_still();
        } else {
            self.measure();
        }
        self.show_day();
    }

    /// Whether sizes around the message in view changed since the last measurement.
    fn is_shifted(&self) -> bool {
        let moved = self.anchor.borrow().as_ref().is_some_and(|(article, distance)| {
            article.is_connected() && (self.distance_from_end(article) - distance).abs() > 0.5
        });
        moved || edge_of(&self.scroller) != self.edge.get()
    }

    /// Records the current position and derives all signals from it.
    fn measure(self: &Rc<Self>) {
        // While a kept position is being restored, the messages in view do not count as read.
        if self.position_to_restore.get().is_some() {
            return;
        }
        let scrolled = self.scroller.scroll_top();
        let has_newer = self.open.has_newer.get_untracked();
        let at_bottom = scrolled >= -BOTTOM_PX && !has_newer;
        self.at_bottom.set(at_bottom);
        set(self.view.away, scrolled < -self.scroller.client_height());
        set(self.view.at_end, at_bottom);
        let (row, article) = self.first_in_view().unzip();
        let article = article.flatten();
        let seq = row.as_ref().and_then(seq_of);
        let position = article.as_ref().zip(seq).map(|(article, seq)| SavedPosition {
            seq,
            offset: in_64ths(top(article) - top(&self.scroller)),
            last: self.state.summary(self.id).map_or(seq, |summary| summary.last_seq),
        });
        self.position_to_save.set(position.filter(|_| !at_bottom));
        self.edge.set(edge_of(&self.scroller));
        self.anchor.replace(article.map(|article| {
            let distance = self.distance_from_end(&article);
            (article, distance)
        }));
        self.in_view.set(self.last_in_view());
        self.state.set_position(seq, at_bottom);
        self.keep_reachable();
        self.menu.place_button();
        self.mark_seen_soon();
    }

    /// Restores the position of the message in view after a change of size.
    fn hold_still(self: &Rc<Self>) {
        if self.restore_position() {
            return self.measure();
        }
        let anchor = self.anchor.borrow().clone();
        if self.at_bottom.get() {
            if self.scroller.scroll_top() != 0 {
                self.scroller.set_scroll_top(0);
            }
        } else if let Some((article, distance)) = anchor
            && article.is_connected()
        {
            let grown = edge_of(&self.scroller) - self.edge.get();
            let moved = self.distance_from_end(&article) - distance;
            if grown != moved {
                self.scroller.scroll_by_with_x_and_y(0.0, grown - moved);
            }
        }
        self.measure();
    }

    /// Restores the kept position, if its row is on the page; false otherwise.
    fn restore_position(&self) -> bool {
        let Some(position) = self.position_to_restore.get() else { return false };
        let Some(article) = self.row(position.seq).as_ref().and_then(article_of) else {
            return false;
        };
        self.position_to_restore.set(None);
        let moved = top(&article) - top(&self.scroller) - f64::from(position.offset) / 64.0;
        self.scroller.scroll_by_with_x_and_y(0.0, moved);
        true
    }

    /// Anchors the view to an element, before a message is folded or unfolded.
    fn hold(&self, held: &Element) {
        self.at_bottom.set(false);
        self.edge.set(edge_of(&self.scroller));
        self.anchor.replace(Some((held.clone(), self.distance_from_end(held))));
    }

    /// Shows the day in view for a moment, unless the day's separator is visible near the top.
    fn show_day(self: &Rc<Self>) {
        let edge = top(&self.scroller);
        let days = self.list.query_selector_all(".day").ok();
        let days =
            days.into_iter().flat_map(|days| (0..days.length()).filter_map(move |i| days.item(i)));
        let is_separator_near = days.filter_map(|day| day.dyn_into::<Element>().ok()).any(|day| {
            let below = bottom(&day) - edge;
            (0.0..DAY_PX).contains(&below) || (0.0..DAY_PX).contains(&(top(&day) - edge))
        });
        let row = self.first_in_view().and_then(|(row, _)| row_of(&self.open, &self.list, &row));
        let day = row.filter(|_| !is_separator_near && !self.at_bottom.get()).map(|row| row.at);
        if day.is_some() {
            set(self.view.day, day);
        }
        set(self.view.day_shown, day.is_some());
        let shown = self.view.day_shown;
        let hide = set_timeout_with_handle(move || set(shown, false), DAY_FOR);
        if let Some(before) = self.day_timer.replace(hide.ok()) {
            before.clear();
        }
    }

    /// After [`SEEN_AFTER`], marks the messages in view as seen.
    fn mark_seen_soon(self: &Rc<Self>) {
        if self.seen_timer.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        set_timeout(
            move || {
                let Some(controller) = weak.upgrade() else { return };
                controller.seen_timer.set(false);
                if controller.scroller.is_connected()
                    && controller.position_to_restore.get().is_none()
                {
                    controller.in_view.set(controller.last_in_view());
                    controller.mark_seen();
                }
            },
            SEEN_AFTER,
        );
    }

    /// Marks the messages in view as seen.
    fn mark_seen(&self) {
        if let Some(seq) = self.in_view.get()
            && let Some(freshness) = marks::seen(self.state, self.id, seq)
        {
            resync::after_event(self.state, self.id, freshness);
        }
    }

    /// Marks the messages in view as seen and saves the position, because the conversation is left.
    fn leave(&self) {
        self.mark_seen();
        let position = self.position_to_restore.get().or(self.position_to_save.get());
        // Without a loaded row there is no position to save.
        if self.open.first_seq() > Seq::ZERO {
            storage::put_position(self.state, self.id, position);
        }
    }
}

/// Sets a signal if its value changes. The signal may already be disposed of with its page.
fn set<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.try_with_untracked(|current| *current != value) == Some(true) {
        signal.set(value);
    }
}
