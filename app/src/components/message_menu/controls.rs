//! Opens the message menu (by its button, a long press or the keyboard) and the note (by a click on
//! the ticks), positions both, and closes them on Escape and when they lose the focus. Browser
//! only; `scroll` owns the [`MenuControls`] of the open conversation.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use gloo_timers::future::TimeoutFuture;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use protocol::{ConversationId, Seq};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, FocusEvent, HtmlElement, PointerEvent};

use super::MenuParts;
use crate::components::timeline::row_of;
use crate::dom::{Listener, keeps_focus};
use crate::paths;
use crate::server_fns::tick_times;
use crate::state::OpenConversation;

/// A touch of this length opens the menu.
const LONG_PRESS: Duration = Duration::from_millis(500);
/// The size of the menu button, and the gap around menu and note.
const BUTTON_PX: f64 = 32.0;
const GAP_PX: f64 = 4.0;

thread_local! {
    /// The element that had the focus before the menu opened.
    static BEFORE: RefCell<Option<HtmlElement>> = const { RefCell::new(None) };
}

/// The menu button, the long press and the chosen message of one open conversation.
pub struct MenuControls {
    parts: MenuParts,
    open: OpenConversation,
    scroller: HtmlElement,
    list: HtmlElement,
    /// The row that has the menu button beside it.
    pointed: RefCell<Option<Element>>,
    /// The long-press timer while a finger is down.
    press: Cell<Option<TimeoutHandle>>,
    /// Whether a long press has opened the menu.
    pressed: Cell<bool>,
}

/// Listens until the conversation is closed.
fn listen(controls: &Rc<MenuControls>) {
    let weak = Rc::downgrade(controls);
    let on = |react: fn(&Rc<MenuControls>, &Event)| {
        let weak = weak.clone();
        move |event: Event| {
            if let Some(controls) = weak.upgrade() {
                react(&controls, &event);
            }
        }
    };
    let scroller = &controls.scroller;
    let mut listeners = vec![
        Listener::new(
            scroller,
            "pointerover",
            on(|controls, event| {
                if pointer(event) == "mouse" {
                    controls.point_at(closest(event, ".row"));
                }
            }),
        ),
        Listener::new(
            scroller,
            "click",
            on(|controls, event| {
                if let (Some(ticks), Some(row)) = (closest(event, ".ticks"), closest(event, ".row"))
                {
                    controls.choose(&row);
                    note_beside(controls.parts, controls.open.id, ticks);
                }
            }),
        ),
        Listener::new(scroller, "pointerdown", on(MenuControls::press)),
        Listener::new(scroller, "pointerup", on(|controls, _| controls.release())),
        Listener::new(scroller, "pointercancel", on(|controls, _| controls.release())),
        // Lifting the finger after a long press would otherwise be a tap, which closes the menu.
        Listener::new(
            scroller,
            "touchend",
            on(|controls, event| {
                if controls.pressed.replace(false) {
                    event.prevent_default();
                }
            }),
        ),
        // A long press or the keyboard's menu key. The mouse keeps the browser's own context menu.
        Listener::new(
            scroller,
            "contextmenu",
            on(|controls, event| {
                let article = closest(event, "article").zip(closest(event, ".row"));
                if let Some((article, row)) = article.filter(|_| pointer(event) != "mouse") {
                    event.prevent_default();
                    controls.release();
                    controls.pressed.set(pointer(event) == "touch");
                    controls.show_menu(&row, &article);
                }
            }),
        ),
    ];
    if let Some(frame) = scroller.parent_element() {
        listeners.push(Listener::new(
            &frame,
            "pointerleave",
            on(|controls, _| controls.point_at(None)),
        ));
    }
    let parts = controls.parts;
    if let Some(button) = parts.button.get_untracked() {
        listeners.push(Listener::new(
            &button,
            "click",
            on(|controls, event| {
                let row = controls.pointed.borrow().clone();
                if let (Some(row), Some(button)) = (row, closest(event, "button")) {
                    controls.show_menu(&row, &button);
                }
            }),
        ));
    }
    for part in [parts.menu, parts.note] {
        let Some(part) = part.get_untracked() else { continue };
        listeners.push(Listener::new(&part, "focusout", |event| {
            if let Some(event) = event.dyn_ref::<FocusEvent>()
                && !keeps_focus(event)
                && let Some(part) = event.current_target()
            {
                _ = part.unchecked_into::<HtmlElement>().hide_popover();
            }
        }));
        listeners.push(Listener::new(&part, "cancel", move |_| close(parts)));
        listeners.push(Listener::new(&part, "keydown", move |event| {
            if let Some(event) = event.dyn_ref::<KeyboardEvent>()
                && event.key() == "Escape"
            {
                event.prevent_default();
                close(parts);
            }
        }));
    }
    let kept = StoredValue::new_local(listeners);
    on_cleanup(move || kept.dispose());
}

fn closest(event: &Event, selector: &str) -> Option<Element> {
    event.target()?.dyn_into::<Element>().ok()?.closest(selector).ok().flatten()
}

/// The pointer type of an event; empty for the keyboard, "mouse" if the event is no pointer event.
fn pointer(event: &Event) -> String {
    event.dyn_ref::<PointerEvent>().map_or_else(|| "mouse".to_owned(), PointerEvent::pointer_type)
}

impl MenuControls {
    /// Creates the controls, which listen until the conversation is closed.
    pub fn start(
        parts: MenuParts,
        open: OpenConversation,
        scroller: HtmlElement,
        list: HtmlElement,
    ) -> Rc<Self> {
        let controls = Rc::new(Self {
            parts,
            open,
            scroller,
            list,
            pointed: RefCell::new(None),
            press: Cell::new(None),
            pressed: Cell::new(false),
        });
        listen(&controls);
        controls
    }

    /// Chooses the message of menu and note, and highlights its row.
    fn choose(&self, row: &Element) {
        self.parts.chosen.set(row_of(&self.open, &self.list, row));
        self.mark(".is-selectable", None);
        self.mark(".is-chosen", Some(row));
    }

    /// Opens the menu of a message beside an element of the message.
    pub fn show_menu(&self, row: &Element, beside: &Element) {
        self.choose(row);
        show(self.parts, self.parts.menu, beside.clone());
    }

    fn press(self: &Rc<Self>, event: &Event) {
        self.release();
        self.pressed.set(false);
        let article = closest(event, "article").zip(closest(event, ".row"));
        let Some((article, row)) = article.filter(|_| pointer(event) == "touch") else { return };
        self.mark(".is-pressed", Some(&row));
        let weak = Rc::downgrade(self);
        let timer = set_timeout_with_handle(
            move || {
                if let Some(controls) = weak.upgrade() {
                    controls.pressed.set(true);
                    controls.show_menu(&row, &article);
                }
            },
            LONG_PRESS,
        );
        self.press.set(timer.ok());
    }

    /// Cancels a long press, because the finger was lifted or the log scrolled.
    pub fn release(&self) {
        if let Some(timer) = self.press.take() {
            timer.clear();
            self.mark(".is-pressed", None);
        }
    }

    /// Moves a class, named by its selector, to this row from any other row.
    fn mark(&self, selector: &str, row: Option<&Element>) {
        let class = &selector[1..];
        if let Ok(Some(before)) = self.list.query_selector(selector) {
            _ = before.class_list().remove_1(class);
        }
        if let Some(row) = row {
            _ = row.class_list().add_1(class);
        }
    }

    /// Shows the menu button beside a message, on the side with more space.
    pub fn point_at(&self, row: Option<Element>) {
        self.pointed.replace(row);
        self.place_button();
    }

    /// Moves the menu button to the current position of its message.
    pub fn place_button(&self) {
        let Some(button) = self.parts.button.try_get_untracked().flatten() else { return };
        let bubble = self
            .pointed
            .borrow()
            .as_ref()
            .filter(|row| row.is_connected())
            .and_then(|row| row.query_selector(".bubble").ok().flatten());
        let frame = self.scroller.get_bounding_client_rect();
        let in_view = bubble.map(|bubble| bubble.get_bounding_client_rect()).filter(|bubble| {
            bubble.bottom() > frame.top() + BUTTON_PX && bubble.top() < frame.bottom() - BUTTON_PX
        });
        _ = button.class_list().toggle_with_force("hidden", in_view.is_none());
        let Some(bubble) = in_view else { return };
        let room_before = bubble.left() - frame.left();
        let left = if room_before > frame.right() - bubble.right() {
            room_before - BUTTON_PX - GAP_PX
        } else {
            bubble.right() - frame.left() + GAP_PX
        };
        let style = HtmlElement::style(&button);
        let left = left.min(frame.width() - BUTTON_PX).max(0.0);
        let top = (bubble.top() - frame.top()).max(GAP_PX);
        _ = style.set_property("left", &px(left));
        _ = style.set_property("top", &px(top));
    }
}

/// Shows the note on the message whose menu was open.
pub fn show_note(parts: MenuParts, id: ConversationId) {
    if let Ok(Some(article)) = document().query_selector(".is-chosen article") {
        note_beside(parts, id, article);
    }
}

/// Shows the note on the chosen message, first without the times, then with them once fetched.
fn note_beside(parts: MenuParts, id: ConversationId, beside: Element) {
    parts.times.set(None);
    show(parts, parts.note, beside.clone());
    spawn_local(async move {
        let Ok(times) = tick_times(id).await else { return };
        parts.times.try_set(Some(times));
        TimeoutFuture::new(0).await;
        if let Some(note) = parts.note.try_get_untracked().flatten() {
            place_beside(&note, &beside);
        }
    });
}

/// Opens a popover beside an element once its content is rendered, and focuses it.
fn show(parts: MenuParts, part: NodeRef<leptos::html::Div>, beside: Element) {
    let Some(part) = part.get_untracked() else { return };
    let before =
        document().active_element().and_then(|element| element.dyn_into::<HtmlElement>().ok());
    BEFORE.set(before);
    spawn_local(async move {
        if parts.overlays.load().await.is_err() {
            parts.show_toast(parts.t.unreached);
            return;
        }
        TimeoutFuture::new(0).await;
        if part.show_popover().is_err() {
            return;
        }
        place_beside(&part, &beside);
        let first = part.query_selector("[role=menuitem]").ok().flatten();
        let first = first.and_then(|first| first.dyn_into::<HtmlElement>().ok());
        _ = first.as_ref().unwrap_or(&part).focus();
    });
}

/// Positions a popover below `beside`, or above it if there is no room: inside the window, and
/// clear of the message if the window is large enough.
fn place_beside(part: &HtmlElement, beside: &Element) {
    let style = part.style();
    // Reset first, because the previous position would limit the measured width.
    _ = style.set_property("left", "0");
    let (own, other) = (part.get_bounding_client_rect(), beside.get_bounding_client_rect());
    let message = document().query_selector(".is-chosen article").ok().flatten();
    let message = message.as_ref().unwrap_or(beside).get_bounding_client_rect();
    let size = |value: Result<wasm_bindgen::JsValue, _>| {
        value.ok().and_then(|value| value.as_f64()).unwrap_or_default()
    };
    let (width, height) = (size(window().inner_width()), size(window().inner_height()));
    let inside = |value: f64, most: f64| value.min(most).max(GAP_PX);
    // An element beside the message opens the popover away from the message. Otherwise the popover
    // aligns with the side of the element that is nearer to the window's edge.
    let is_before = other.right() <= message.left();
    let is_behind = other.left() >= message.right();
    let left = if is_before || (!is_behind && other.left() + other.right() > width) {
        other.right() - own.width()
    } else {
        other.left()
    };
    let left = inside(left, width - own.width() - GAP_PX);
    let is_clear = left >= message.right() || left + own.width() <= message.left();
    let kept = if is_clear { other } else { message };
    let below = kept.bottom() + GAP_PX;
    let fits = below + own.height() + GAP_PX <= height;
    let top = if fits { below } else { kept.top() - own.height() - GAP_PX };
    _ = style.set_property("left", &px(left));
    _ = style.set_property("top", &px(inside(top, height - own.height() - GAP_PX)));
}

/// A length in CSS pixels, rounded.
#[expect(clippy::cast_possible_truncation, reason = "no window is that large")]
fn px(length: f64) -> String {
    format!("{}px", length.round() as i32)
}

/// Closes menu and note, and returns the focus.
pub fn close(parts: MenuParts) {
    let before = BEFORE.take();
    for part in
        [parts.menu, parts.note].iter().filter_map(GetUntracked::try_get_untracked).flatten()
    {
        _ = part.hide_popover();
    }
    if let Some(before) = before {
        _ = before.focus();
    }
}

/// Arrow keys, Home and End move through the menu entries, wrapping around.
pub fn walk_items(event: &KeyboardEvent) {
    let Some(menu) = event.current_target().and_then(|menu| menu.dyn_into::<Element>().ok()) else {
        return;
    };
    let Ok(items) = menu.query_selector_all("[role=menuitem]") else { return };
    let focused = document().active_element();
    let items: Vec<HtmlElement> =
        (0..items.length()).filter_map(|index| items.item(index)?.dyn_into().ok()).collect();
    let here =
        items.iter().position(|item| focused.as_ref().is_some_and(|focused| **item == *focused));
    let (here, count) = (here.unwrap_or_default(), items.len());
    let next = match event.key().as_str() {
        "ArrowDown" => here + 1,
        "ArrowUp" => here + count - 1,
        "Home" => 0,
        "End" => count - 1,
        _ => return,
    };
    event.prevent_default();
    if let Some(item) = items.get(next % count.max(1)) {
        _ = item.focus();
    }
}

/// Selects the text of the chosen message, because a long press opens the menu and selects nothing.
/// The user can then move the ends of the selection.
pub fn select_text() {
    let Ok(Some(row)) = document().query_selector(".is-chosen") else { return };
    _ = row.class_list().add_1("is-selectable");
    if let (Ok(Some(body)), Ok(Some(selection))) =
        (row.query_selector(".body"), window().get_selection())
    {
        _ = selection.select_all_children(&body);
    }
}

/// The absolute address of a message.
pub fn link(id: ConversationId, seq: Seq) -> String {
    let origin = window().location().origin().unwrap_or_default();
    origin + &paths::message(id, seq)
}
