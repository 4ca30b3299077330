//! Keyboard handling of a conversation: moving between messages, scrolling from the composer,
//! jumping to the newest message. One listener on the pane; global shortcuts are in
//! [`crate::keyboard`].
//!
//! The log is one tab stop: the log itself at first, then the message focused last.

use std::rc::Rc;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{
    Element, HtmlElement, HtmlTextAreaElement, KeyboardEvent, ScrollIntoViewOptions,
    ScrollLogicalPosition,
};

use super::ScrollController;
use super::geometry::{article_of, top};
use crate::browser::dom::Listener;

/// Listens until the conversation is closed.
pub(super) fn listen(controller: &Rc<ScrollController>) {
    let Some(pane) = controller.scroller.closest("main").ok().flatten() else { return };
    let weak = Rc::downgrade(controller);
    let listener = Listener::new(&pane, "keydown", move |event| {
        if let (Some(controller), Ok(event)) = (weak.upgrade(), event.dyn_into::<KeyboardEvent>())
            && on_key(&controller, &event) == Some(())
        {
            event.prevent_default();
        }
    });
    let kept = StoredValue::new_local(listener);
    on_cleanup(move || kept.dispose());
}

/// Handles a key; `None` for a key without a function here.
fn on_key(controller: &Rc<ScrollController>, event: &KeyboardEvent) -> Option<()> {
    let target: Element = event.target()?.dyn_into().ok()?;
    // Input method composition, menus and dialogs handle their own keys.
    let elsewhere = event.default_prevented()
        || event.is_composing()
        || event.key_code() == 229
        || event.alt_key()
        || event.meta_key()
        || target.closest("[popover], dialog").ok()?.is_some();
    if elsewhere {
        return None;
    }
    let field = target.dyn_ref::<HtmlTextAreaElement>();
    let in_log = controller.scroller.contains(Some(&target));
    if field.is_none() && !in_log {
        return None;
    }
    let empty = field.is_none_or(|field| field.value().is_empty());
    match (event.key().as_str(), event.ctrl_key(), event.shift_key()) {
        ("Escape", false, false) => {
            controller.state.dismiss_divider();
            controller.go_to_latest();
            controller.focus_composer(in_log);
        }
        ("PageUp", false, true) => controller.go_to_divider(),
        ("PageUp", false, false) => controller.scroll_pages(-1.0),
        ("PageDown", false, false) => controller.scroll_pages(1.0),
        ("Home", true, false) if empty => {
            controller
                .scroller
                .scroll_by_with_x_and_y(0.0, -f64::from(controller.scroller.scroll_height()));
        }
        ("End", true, false) if empty => controller.go_to_latest(),
        ("ArrowUp", false, false) if empty && !in_log => return controller.focus_last_own(),
        _ if in_log => return on_key_in_log(controller, event, &target),
        _ => return None,
    }
    Some(())
}

fn on_key_in_log(
    controller: &Rc<ScrollController>,
    event: &KeyboardEvent,
    target: &Element,
) -> Option<()> {
    let article = target.closest("article").ok()?;
    let on_message = article.as_ref().is_some_and(|article| article == target);
    match (event.key().as_str(), event.ctrl_key(), event.shift_key()) {
        ("ArrowUp", false, false) => controller.step(article.as_ref(), -1),
        ("ArrowDown", false, false) => controller.step(article.as_ref(), 1),
        ("Home", false, false) => controller.focus_row(0),
        ("End", false, false) => {
            controller.focus_row(controller.list.children().length().checked_sub(1)?)
        }
        ("Enter" | "ContextMenu", false, false) | ("F10", false, true) if on_message => {
            controller.menu.show_menu(&article?.closest("li").ok()??, target);
            Some(())
        }
        _ => None,
    }
}

impl ScrollController {
    fn scroll_pages(&self, pages: f64) {
        let page = f64::from(self.scroller.client_height()) * 0.9;
        self.scroller.scroll_by_with_x_and_y(0.0, pages * page);
    }

    /// Focuses the composer if `wanted`.
    pub(super) fn focus_composer(&self, wanted: bool) {
        let pane = self.scroller.closest("main").ok().flatten().filter(|_| wanted);
        let field = pane.and_then(|pane| pane.query_selector(".composer textarea").ok().flatten());
        if let Some(field) = field.and_then(|field| field.dyn_into::<HtmlElement>().ok()) {
            _ = field.focus();
        }
    }

    /// Moves from a message to its neighbour, or from the log to the newest message in view.
    fn step(&self, article: Option<&Element>, by: i32) -> Option<()> {
        let rows = self.list.children();
        let Some(article) = article else {
            let edge = self.scroller.get_bounding_client_rect().bottom();
            return self.focus_row(self.halve(|row| top(row) < edge).checked_sub(1)?);
        };
        let row = article.closest("li").ok()??;
        let here = (0..rows.length()).find(|index| rows.item(*index).as_ref() == Some(&row))?;
        // At either end the key is still handled, so that the log does not scroll.
        self.focus_row(here.saturating_add_signed(by).min(rows.length() - 1))
    }

    fn focus_last_own(&self) -> Option<()> {
        let own = self.list.query_selector_all(".row.is-mine > article").ok()?;
        self.focus(&own.item(own.length().checked_sub(1)?)?.dyn_into().ok()?)
    }

    fn focus_row(&self, index: u32) -> Option<()> {
        let row = self.list.children().item(index)?;
        self.focus(&article_of(&row)?.dyn_into().ok()?)
    }

    /// Focuses a message. A screen reader reads the whole message, and its links and buttons become
    /// tab stops.
    fn focus(&self, article: &HtmlElement) -> Option<()> {
        let before = self.focused.replace(Some(article.clone()));
        if let Some(before) = before.filter(|before| before != article) {
            _ = before.remove_attribute("tabindex");
            _ = before.remove_attribute("aria-label");
            reach(&before, false);
        }
        let words = article.text_content().unwrap_or_default();
        _ = article.set_attribute("aria-label", &words);
        article.set_tab_index(0);
        self.scroller.set_tab_index(-1);
        reach(article, true);
        _ = article.focus();
        let options = ScrollIntoViewOptions::new();
        options.set_block(ScrollLogicalPosition::Nearest);
        article.scroll_into_view_with_scroll_into_view_options(&options);
        self.menu.point_at(article.closest("li").ok().flatten());
        Some(())
    }

    /// Makes the log the tab stop again if the focused message has left the page.
    pub(super) fn keep_reachable(&self) {
        let gone = self.focused.borrow().as_ref().is_some_and(|focused| !focused.is_connected());
        if gone {
            self.focused.take();
            self.scroller.set_tab_index(0);
        }
    }
}

/// Sets whether the links and buttons of a message are tab stops.
fn reach(article: &HtmlElement, reachable: bool) {
    let Ok(stops) = article.query_selector_all(".bubble a, .fold") else { return };
    let stops = (0..stops.length()).filter_map(|index| stops.item(index)?.dyn_into().ok());
    stops.for_each(|stop: HtmlElement| stop.set_tab_index(if reachable { 0 } else { -1 }));
}
