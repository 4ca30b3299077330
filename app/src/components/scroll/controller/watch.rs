//! Observes what affects the scroll position: scrolling, changed rows, changed sizes, edges that
//! come near. Stops when the conversation is closed.

use std::mem;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{
    Element, IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit,
    MutationObserver, MutationObserverInit, ResizeObserver,
};

use super::ScrollController;
use crate::browser::dom::Listener;

/// Longer than the animation of a new row, even if a busy machine starts it late.
const MOVES_FOR: Duration = Duration::from_secs(1);

/// Listens until the conversation is closed.
pub(super) fn watch(controller: &Rc<ScrollController>) {
    let weak = Rc::downgrade(controller);
    let on = |react: fn(&Rc<ScrollController>)| {
        let weak = weak.clone();
        move |_: web_sys::Event| {
            if let Some(controller) = weak.upgrade() {
                react(&controller);
            }
        }
    };
    let folding = {
        let weak = weak.clone();
        move |event: web_sys::Event| {
            if let Some(controller) = weak.upgrade() {
                before_folding(&controller, &event);
            }
        }
    };
    let listeners = [
        Listener::new(&controller.scroller, "scroll", on(ScrollController::on_scroll)),
        Listener::new(&window(), "focus", on(ScrollController::mark_seen_soon)),
        Listener::new(&window(), "pagehide", on(|controller| controller.leave())),
        Listener::new(&document(), "visibilitychange", on(ScrollController::mark_seen_soon)),
        Listener::before(&controller.scroller, "click", folding),
    ];
    let changes = observe_rows(controller);
    let sizes = observe_sizes(controller);
    let edges = observe_edges(controller);
    let kept = StoredValue::new_local((listeners, changes, sizes, edges, Rc::clone(controller)));
    on_cleanup(move || {
        kept.with_value(|(_, (changes, _), (sizes, _), (edges, _), controller)| {
            controller.leave();
            changes.disconnect();
            sizes.disconnect();
            edges.disconnect();
            controller.edges.borrow_mut().take();
        });
        kept.dispose();
    });
}

/// Unfolding keeps the top of the message in place; folding keeps the button under the pointer.
fn before_folding(controller: &ScrollController, event: &web_sys::Event) {
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let Some(button) = target.and_then(|target| target.closest(".fold").ok().flatten()) else {
        return;
    };
    let unfolded = button.get_attribute("aria-expanded").as_deref() == Some("true");
    let article = button.closest("article").ok().flatten().filter(|_| !unfolded);
    controller.hold(&article.unwrap_or(button));
}

type RowObserver = (MutationObserver, Closure<dyn FnMut()>);

/// Mutation observers run after the rows change and before the next paint.
fn observe_rows(controller: &Rc<ScrollController>) -> RowObserver {
    let weak = Rc::downgrade(controller);
    let mut newest = controller.list.last_element_child();
    let react = Closure::<dyn FnMut()>::new(move || {
        if let Some(controller) = weak.upgrade() {
            let last = controller.list.last_element_child();
            move_in(mem::replace(&mut newest, last.clone()).as_ref(), last);
            controller.hold_still();
        }
    });
    let observer = MutationObserver::new(react.as_ref().unchecked_ref())
        .expect("a mutation observer takes any function");
    let options = MutationObserverInit::new();
    options.set_child_list(true);
    options.set_subtree(true);
    // Fails only for options that observe nothing.
    _ = observer.observe_with_options(&controller.list, &options);
    (observer, react)
}

/// Animates a row that was appended after the last one. Older rows are not animated, nor are
/// existing rows when the list is rendered again.
fn move_in(before: Option<&Element>, last: Option<Element>) {
    if let Some(last) = last
        && before.is_some()
        && last.previous_element_sibling().as_ref() == before
    {
        _ = last.class_list().add_1("is-new");
        let moved = move || _ = last.class_list().remove_1("is-new");
        set_timeout(moved, MOVES_FOR);
    }
}

type SizeObserver = (ResizeObserver, Closure<dyn FnMut()>);

/// Resize observers run after layout and before the next paint: for a narrower window, fonts that
/// load late, a taller composer, an unfolded message.
fn observe_sizes(controller: &Rc<ScrollController>) -> SizeObserver {
    let react = holding(controller);
    let observer = ResizeObserver::new(react.as_ref().unchecked_ref())
        .expect("a resize observer takes any function");
    observer.observe(&controller.scroller);
    observer.observe(&controller.content);
    (observer, react)
}

fn holding(controller: &Rc<ScrollController>) -> Closure<dyn FnMut()> {
    let weak = Rc::downgrade(controller);
    Closure::new(move || {
        if let Some(controller) = weak.upgrade() {
            controller.hold_still();
        }
    })
}

type EdgeObserver = (IntersectionObserver, Closure<dyn FnMut(js_sys::Array)>);

/// Loads rows when the oldest or the newest row is less than a screen away.
fn observe_edges(controller: &Rc<ScrollController>) -> EdgeObserver {
    let weak = Rc::downgrade(controller);
    let react = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
        let Some(controller) = weak.upgrade() else { return };
        for entry in
            entries.iter().filter_map(|entry| entry.dyn_into::<IntersectionObserverEntry>().ok())
        {
            if entry.is_intersecting() {
                let edge = entry.target().get_attribute("data-edge");
                controller.load(edge.as_deref() == Some("older"));
            }
        }
    });
    let options = IntersectionObserverInit::new();
    options.set_root(Some(&controller.scroller));
    options.set_root_margin("100% 0px 100% 0px");
    let observer = IntersectionObserver::new_with_options(react.as_ref().unchecked_ref(), &options)
        .expect("an intersection observer takes any function and a margin in per cent");
    *controller.edges.borrow_mut() = Some(observer.clone());
    controller.observe_edges_anew();
    (observer, react)
}

impl ScrollController {
    /// Observes the edges again, which reports an edge that is still near.
    pub(super) fn observe_edges_anew(&self) {
        let Some(observer) = &*self.edges.borrow() else { return };
        let Ok(edges) = self.scroller.query_selector_all("[data-edge]") else { return };
        for edge in
            (0..edges.length()).filter_map(|index| edges.item(index)?.dyn_into::<Element>().ok())
        {
            observer.unobserve(&edge);
            observer.observe(&edge);
        }
    }
}
