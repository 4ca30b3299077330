//! Reacts to the user: opens the message menu (by its button, a long press or the keyboard) and the
//! note (by a click on the ticks), and closes them on Escape and when they lose the focus. Browser
//! only; `scroll` owns the [`MenuControls`] of the open conversation.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, FocusEvent, HtmlElement, PointerEvent};

use super::MenuParts;
use super::popovers::{GAP_PX, close, note_beside, px, show};
use crate::browser::dom::{Listener, keeps_focus};
use crate::components::message_row::row_of;
use crate::state::OpenConversation;

/// A touch of this length opens the menu.
const LONG_PRESS: Duration = Duration::from_millis(500);
/// The size of the menu button.
const BUTTON_PX: f64 = 32.0;

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
    let parts = controls.parts;
    let mut listeners = listen_to_log(controls);
    if let Some(frame) = controls.scroller.parent_element() {
        let leave = on(controls, |controls, _| controls.point_at(None));
        listeners.push(Listener::new(&frame, "pointerleave", leave));
    }
    if let Some(button) = parts.button.get_untracked() {
        let open = on(controls, |controls, event| {
            let row = controls.pointed.borrow().clone();
            if let (Some(row), Some(button)) = (row, closest(event, "button")) {
                controls.show_menu(&row, &button);
            }
        });
        listeners.push(Listener::new(&button, "click", open));
    }
    for part in [parts.menu, parts.note] {
        if let Some(part) = part.get_untracked() {
            listen_to_popover(&mut listeners, parts, &part);
        }
    }
    let kept = StoredValue::new_local(listeners);
    on_cleanup(move || kept.dispose());
}

/// Returns a listener that calls `react` while the controls exist.
fn on(
    controls: &Rc<MenuControls>,
    react: fn(&Rc<MenuControls>, &Event),
) -> impl FnMut(Event) + use<> {
    let weak = Rc::downgrade(controls);
    move |event| {
        if let Some(controls) = weak.upgrade() {
            react(&controls, &event);
        }
    }
}

/// Pointer, touch and keyboard on the messages.
fn listen_to_log(controls: &Rc<MenuControls>) -> Vec<Listener> {
    let listen = |event, react| Listener::new(&controls.scroller, event, on(controls, react));
    vec![
        listen("pointerover", |controls, event| {
            if pointer(event) == "mouse" {
                controls.point_at(closest(event, ".row"));
            }
        }),
        listen("click", |controls, event| {
            if let (Some(ticks), Some(row)) = (closest(event, ".ticks"), closest(event, ".row")) {
                controls.choose(&row);
                note_beside(controls.parts, ticks);
            }
        }),
        listen("pointerdown", MenuControls::press),
        listen("pointerup", |controls, _| controls.release()),
        listen("pointercancel", |controls, _| controls.release()),
        // Lifting the finger after a long press would otherwise be a tap, which closes the menu.
        listen("touchend", |controls, event| {
            if controls.pressed.replace(false) {
                event.prevent_default();
            }
        }),
        // A long press or the keyboard's menu key. The mouse keeps the browser's own context menu.
        listen("contextmenu", |controls, event| {
            let article = closest(event, "article").zip(closest(event, ".row"));
            if let Some((article, row)) = article.filter(|_| pointer(event) != "mouse") {
                event.prevent_default();
                controls.release();
                controls.pressed.set(pointer(event) == "touch");
                controls.show_menu(&row, &article);
            }
        }),
    ]
}

/// Adds the listeners that close the menu or the note.
fn listen_to_popover(listeners: &mut Vec<Listener>, parts: MenuParts, popover: &HtmlElement) {
    listeners.push(Listener::new(popover, "focusout", |event| {
        if let Some(event) = event.dyn_ref::<FocusEvent>()
            && !keeps_focus(event)
            && let Some(popover) = event.current_target()
        {
            _ = popover.unchecked_into::<HtmlElement>().hide_popover();
        }
    }));
    listeners.push(Listener::new(popover, "cancel", move |_| close(parts)));
    listeners.push(Listener::new(popover, "keydown", move |event| {
        if let Some(event) = event.dyn_ref::<KeyboardEvent>()
            && event.key() == "Escape"
        {
            event.prevent_default();
            close(parts);
        }
    }));
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
