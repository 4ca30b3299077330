//! Where the reader is in a conversation, and keeping them there. Browser only.
//!
//! The log grows from its end upwards, so its scroll offset counts from the newest row: 0 at the
//! end, negative above. Rows put above do not move the view; rows put below do, and are answered
//! for here, before the next paint, by the distance of the row that was in view from the end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::html::{Div, Ol};
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, Cursor, Seq};
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{
    Element, HtmlElement, IntersectionObserver, IntersectionObserverEntry,
    IntersectionObserverInit, MutationObserver, MutationObserverInit, ScrollIntoViewOptions,
    ScrollLogicalPosition,
};

use crate::dom::Listener;
use crate::live::{catch_up, marks};
use crate::server_fns::load_history;
use crate::state::{Connection, Older, OpenConversation, State};

/// Nearer to the end than this counts as being there.
const BOTTOM_PX: i32 = 50;
/// What was in view for this long counts as seen.
const SEEN_AFTER: Duration = Duration::from_millis(300);
/// How long a message that was linked to stands out.
const HIGHLIGHT: Duration = Duration::from_secs(2);

struct Reader {
    state: State,
    id: ConversationId,
    scroller: HtmlElement,
    list: HtmlElement,
    away: RwSignal<bool>,
    /// The first message in view and its distance from the end. The message and not its row: what
    /// stands above it in the row, a day or the divider, comes and goes.
    anchor: RefCell<Option<(Element, f64)>>,
    at_bottom: Cell<bool>,
    seen_timer: Cell<bool>,
    loading: Cell<bool>,
    edges: RefCell<Option<IntersectionObserver>>,
}

/// Starts watching a conversation; answers what "jump to latest" does.
pub fn start(
    state: State,
    open: &OpenConversation,
    scroller: NodeRef<Div>,
    list: NodeRef<Ol>,
    away: RwSignal<bool>,
    target: Option<Seq>,
) -> Callback<()> {
    let reader = StoredValue::new_local(None::<Rc<Reader>>);
    let (id, keys, divided) = (open.id, open.keys.clone(), open.divider.is_some());
    Effect::new(move |_| {
        let (Some(scroller), Some(list)) = (scroller.get(), list.get()) else { return };
        let new = Rc::new(Reader {
            state,
            id,
            scroller: scroller.unchecked_into(),
            list: list.unchecked_into(),
            away,
            anchor: RefCell::new(None),
            at_bottom: Cell::new(true),
            seen_timer: Cell::new(false),
            loading: Cell::new(false),
            edges: RefCell::new(None),
        });
        place(&new, target, divided);
        watch(&new);
        reader.set_value(Some(new));
    });
    // New rows, a new connection and one's own new message each ask for another look.
    Effect::new(move |_| {
        keys.track();
        if state.connection.get() == Connection::Live {
            reader.with_value(|reader| reader.iter().for_each(Reader::look));
        }
    });
    Effect::new(move |seen: Option<u32>| {
        let wrote = state.wrote.get();
        if seen.is_some_and(|seen| seen != wrote) {
            reader.with_value(|reader| reader.iter().for_each(Reader::go_to_latest));
        }
        wrote
    });
    Callback::new(move |()| {
        reader.with_value(|reader| reader.iter().for_each(Reader::go_to_latest))
    })
}

/// Opens at the message that is linked to, else at the first unread one, else at the end.
fn place(reader: &Rc<Reader>, target: Option<Seq>, divided: bool) {
    let row = target.and_then(|seq| reader.row(seq));
    if let Some(row) = row {
        scroll_to(&row, ScrollLogicalPosition::Center);
        _ = row.class_list().add_1("is-target");
        set_timeout(
            move || {
                _ = row.class_list().remove_1("is-target");
            },
            HIGHLIGHT,
        );
    } else if divided && let Ok(Some(divider)) = reader.list.query_selector(".unread-divider") {
        scroll_to(&divider, ScrollLogicalPosition::Start);
    }
    reader.on_scroll();
}

fn scroll_to(element: &Element, block: ScrollLogicalPosition) {
    let options = ScrollIntoViewOptions::new();
    options.set_block(block);
    element.scroll_into_view_with_scroll_into_view_options(&options);
}

/// Listens until the conversation is closed.
fn watch(reader: &Rc<Reader>) {
    let weak = Rc::downgrade(reader);
    let on = |react: fn(&Rc<Reader>)| {
        let weak = weak.clone();
        move |_: web_sys::Event| {
            if let Some(reader) = weak.upgrade() {
                react(&reader);
            }
        }
    };
    let listeners = [
        Listener::new(&reader.scroller, "scroll", on(|reader| reader.on_scroll())),
        Listener::new(&window(), "resize", on(|reader| reader.on_scroll())),
        Listener::new(&window(), "focus", on(Reader::look)),
        Listener::new(&document(), "visibilitychange", on(Reader::look)),
    ];
    let changes = observe_rows(reader);
    let edges = observe_edges(reader);
    let kept = StoredValue::new_local((listeners, changes, edges, Rc::clone(reader)));
    on_cleanup(move || {
        kept.with_value(|(_, (changes, _), (edges, _), reader)| {
            changes.disconnect();
            edges.disconnect();
            reader.edges.borrow_mut().take();
        });
        kept.dispose();
    });
}

type RowObserver = (MutationObserver, Closure<dyn FnMut()>);

/// Mutation observers run after the rows changed and before anything is painted.
fn observe_rows(reader: &Rc<Reader>) -> RowObserver {
    let weak = Rc::downgrade(reader);
    let react = Closure::<dyn FnMut()>::new(move || {
        if let Some(reader) = weak.upgrade() {
            reader.hold_still();
        }
    });
    let observer = MutationObserver::new(react.as_ref().unchecked_ref())
        .expect("a mutation observer takes any function");
    let options = MutationObserverInit::new();
    options.set_child_list(true);
    options.set_subtree(true);
    // Refused only for options that observe nothing.
    _ = observer.observe_with_options(&reader.list, &options);
    (observer, react)
}

type EdgeObserver = (IntersectionObserver, Closure<dyn FnMut(js_sys::Array)>);

/// Tells when the oldest or newest row is less than a screen away.
fn observe_edges(reader: &Rc<Reader>) -> EdgeObserver {
    let weak = Rc::downgrade(reader);
    let react = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
        let Some(reader) = weak.upgrade() else { return };
        for entry in
            entries.iter().filter_map(|entry| entry.dyn_into::<IntersectionObserverEntry>().ok())
        {
            if entry.is_intersecting() {
                let edge = entry.target().get_attribute("data-edge");
                reader.load(edge.as_deref() == Some("older"));
            }
        }
    });
    let options = IntersectionObserverInit::new();
    options.set_root(Some(&reader.scroller));
    options.set_root_margin("100% 0px 100% 0px");
    let observer = IntersectionObserver::new_with_options(react.as_ref().unchecked_ref(), &options)
        .expect("an intersection observer takes any function and a margin in per cent");
    *reader.edges.borrow_mut() = Some(observer.clone());
    reader.observe_edges_anew();
    (observer, react)
}

impl Reader {
    fn row(&self, seq: Seq) -> Option<Element> {
        self.list.query_selector(&format!("[data-seq=\"{seq}\"]")).ok().flatten()
    }

    fn on_scroll(self: &Rc<Self>) {
        let at_bottom = self.scroller.scroll_top() >= -BOTTOM_PX;
        self.at_bottom.set(at_bottom);
        let a_screen_away = self.scroller.scroll_top() < -self.scroller.client_height();
        if self.away.try_get_untracked() == Some(!a_screen_away) {
            self.away.set(a_screen_away);
        }
        self.state.set_at_bottom(at_bottom);
        let anchor = self.first_in_view().map(|row| {
            let distance = self.distance_from_end(&row);
            (row, distance)
        });
        self.anchor.replace(anchor);
        self.look();
    }

    /// Puts the row that was in view back to where it was, if rows came or went below it.
    fn hold_still(self: &Rc<Self>) {
        if !self.at_bottom.get()
            && let Some((row, distance)) = &*self.anchor.borrow()
            && row.is_connected()
        {
            let moved = self.distance_from_end(row) - distance;
            #[expect(clippy::cast_possible_truncation, reason = "pixels on a page")]
            let moved = moved.round() as i32;
            if moved != 0 {
                self.scroller.set_scroll_top(self.scroller.scroll_top() - moved);
            }
        }
        self.on_scroll();
    }

    /// How far a row's top is from the end of the list, wherever the list is scrolled to.
    fn distance_from_end(&self, row: &Element) -> f64 {
        self.list.get_bounding_client_rect().bottom() - row.get_bounding_client_rect().top()
    }

    /// The first message that reaches into the view: found by halving, the rows being in order.
    fn first_in_view(&self) -> Option<Element> {
        let top = self.scroller.get_bounding_client_rect().top();
        let first = self.halve(|row| row.get_bounding_client_rect().bottom() <= top);
        self.list.children().item(first)?.query_selector("article").ok().flatten()
    }

    /// The newest stored message whose beginning is in view.
    fn last_in_view(&self) -> Option<Seq> {
        let bottom = self.scroller.get_bounding_client_rect().bottom();
        let rows = self.list.children();
        let beyond = self.halve(|row| row.get_bounding_client_rect().top() < bottom - 8.0);
        (0..beyond)
            .rev()
            .find_map(|index| rows.item(index)?.get_attribute("data-seq")?.parse().ok().map(Seq))
    }

    /// The index of the first row that is not `before`.
    fn halve(&self, before: impl Fn(&Element) -> bool) -> u32 {
        let rows = self.list.children();
        let (mut low, mut high) = (0, rows.length());
        while low < high {
            let middle = low + (high - low) / 2;
            if rows.item(middle).is_some_and(|row| before(&row)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// After a moment, says that what is in view was seen.
    fn look(self: &Rc<Self>) {
        if self.seen_timer.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        set_timeout(
            move || {
                let Some(reader) = weak.upgrade() else { return };
                reader.seen_timer.set(false);
                if reader.scroller.is_connected()
                    && let Some(seq) = reader.last_in_view()
                {
                    marks::seen(reader.state, reader.id, seq);
                }
            },
            SEEN_AFTER,
        );
    }

    /// Shows older or newer rows.
    fn load(self: &Rc<Self>, older: bool) {
        if self.loading.replace(true) {
            return;
        }
        let reader = Rc::clone(self);
        spawn_local(async move {
            let step = match reader.state.next_newer() {
                _ if older => reader.state.show_older(),
                Some((id, cursor)) => Older::Fetch(id, cursor),
                None => Older::Nothing,
            };
            if let Older::Fetch(id, cursor) = step
                && id == reader.id
            {
                reader.fetch(id, cursor).await;
            }
            reader.loading.set(false);
            // Observing anew tells again if the edge is still near. With nothing beyond the edge
            // that would go on for ever.
            if step != Older::Nothing {
                reader.observe_edges_anew();
            }
        });
    }

    async fn fetch(&self, id: ConversationId, cursor: Cursor) {
        match load_history(id, cursor).await {
            Ok(page) => self.state.merge_page(&page),
            // Not so fast: the edge is still there, and would ask again at once.
            Err(_) => gloo_timers::future::TimeoutFuture::new(2_000).await,
        }
    }

    fn observe_edges_anew(&self) {
        let Some(observer) = &*self.edges.borrow() else { return };
        let Ok(edges) = self.scroller.query_selector_all("[data-edge]") else { return };
        for edge in
            (0..edges.length()).filter_map(|index| edges.item(index)?.dyn_into::<Element>().ok())
        {
            observer.unobserve(&edge);
            observer.observe(&edge);
        }
    }

    /// Goes to the newest message, which is fetched first if it is not held.
    fn go_to_latest(self: &Rc<Self>) {
        let reader = Rc::clone(self);
        spawn_local(async move {
            if let Some((id, _)) = reader.state.next_newer() {
                reader.fetch(id, Cursor::Latest).await;
                reader.state.follow_latest();
                // What could not be read is asked for again by the edge, which is still there.
                _ = catch_up::fill(reader.state).await;
            }
            // The rows are put in place by a later turn.
            gloo_timers::future::TimeoutFuture::new(0).await;
            reader.at_bottom.set(true);
            reader.scroller.set_scroll_top(0);
            reader.on_scroll();
            reader.observe_edges_anew();
        });
    }
}
