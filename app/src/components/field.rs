//! Labelled fields with their help and their error beside them.

use leptos::html::Input;
use leptos::prelude::*;

use crate::language::{Texts, use_texts};
use crate::session::use_session;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// The username, to sign in with.
    Username,
    /// A username to be taken.
    NewUsername,
    /// The name others will see, before there is an account.
    NewName,
    /// The name others see.
    DisplayName,
    /// The password, to sign in with.
    CurrentPassword,
    /// A password to be set.
    NewPassword,
    /// The password there is, beside the one to come.
    PresentPassword,
    /// The password to come.
    NextPassword,
}

struct Shape {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    capitals: &'static str,
    /// What the Enter key of a keyboard on the screen says.
    enter: &'static str,
    help: Option<&'static str>,
    required: bool,
}

impl FieldKind {
    fn shape(self, t: &'static Texts) -> Shape {
        let username = Shape {
            name: "username",
            label: t.username,
            kind: "text",
            autocomplete: "username",
            capitals: "none",
            enter: "next",
            help: None,
            required: true,
        };
        let name = Shape {
            name: "display_name",
            label: t.display_name,
            autocomplete: "name",
            capitals: "words",
            help: Some(t.display_name_help),
            ..username
        };
        let password = Shape {
            name: "password",
            label: t.password,
            kind: "password",
            autocomplete: "current-password",
            enter: "go",
            ..username
        };
        let new_password =
            Shape { autocomplete: "new-password", help: Some(t.password_help), ..password };
        match self {
            Self::Username => username,
            // Where it is left empty the server makes one from the name.
            Self::NewUsername => Shape { help: Some(t.username_help), required: false, ..username },
            Self::NewName => name,
            Self::DisplayName => Shape { enter: "done", ..name },
            Self::CurrentPassword => password,
            Self::PresentPassword => {
                Shape { name: "current", label: t.present_password, enter: "next", ..password }
            }
            Self::NextPassword => Shape { name: "new", label: t.next_password, ..new_password },
            Self::NewPassword => new_password,
        }
    }
}

/// A field. What is wrong with it stands under it and is told to screen readers.
#[component]
pub fn TextField(
    /// What is asked for.
    kind: FieldKind,
    /// The element, to read it.
    node_ref: NodeRef<Input>,
    /// What stands in it at first.
    value: String,
    /// What is wrong with it.
    error: Signal<Option<String>>,
) -> impl IntoView {
    let t = use_texts();
    let shape = kind.shape(t);
    let (help_id, error_id) = (format!("{}-help", shape.name), format!("{}-error", shape.name));
    let has_error = Memo::new(move |_| error.with(Option::is_some));
    // One of the two: what is wrong says what would be right.
    let described_by = {
        let (help_id, error_id) = (shape.help.map(|_| help_id.clone()), error_id.clone());
        move || if has_error.get() { Some(error_id.clone()) } else { help_id.clone() }
    };
    let is_secret = shape.kind == "password";
    view! {
        <div class="field">
            <label for=shape.name>{shape.label}</label>
            <div class="field-box">
                <input
                    node_ref=node_ref
                    id=shape.name
                    name=shape.name
                    type=shape.kind
                    value=value
                    autocomplete=shape.autocomplete
                    autocapitalize=shape.capitals
                    enterkeyhint=shape.enter
                    spellcheck="false"
                    required=shape.required
                    dir="auto"
                    aria-invalid=move || has_error.get().then_some("true")
                    aria-describedby=described_by
                />
                {is_secret.then(|| view! { <Eye t=t field=node_ref /> })}
            </div>
            <p class="field-error" id=error_id class:hidden=move || !has_error.get()>
                {move || error.get().unwrap_or_default()}
            </p>
            {shape.help.map(|help| view! {
                <p class="field-help" id=help_id class:hidden=move || has_error.get()>{help}</p>
            })}
        </div>
    }
}

/// Shows what stands in a password's field, until it is pressed again or the form is sent.
#[component]
fn Eye(
    /// The words.
    t: &'static Texts,
    /// The field.
    field: NodeRef<Input>,
) -> impl IntoView {
    let shown = RwSignal::new(false);
    let show = move |show: bool| {
        let Some(field) = field.get_untracked().filter(|_| shown.get_untracked() != show) else {
            return;
        };
        // A browser may put the caret to the front when the kind of a field changes.
        let caret = (field.selection_start(), field.selection_end());
        field.set_type(if show { "text" } else { "password" });
        if let (Ok(Some(start)), Ok(Some(end))) = caret {
            _ = field.set_selection_range(start, end);
        }
        shown.set(show);
    };
    #[cfg(feature = "hydrate")]
    {
        let sent = window_event_listener(leptos::ev::submit, move |_| show(false));
        on_cleanup(move || sent.remove());
    }
    view! {
        <button
            class="field-eye"
            type="button"
            aria-label=t.show_password
            title=t.show_password
            aria-pressed=move || if shown.get() { "true" } else { "false" }
            // The field keeps the focus, and a phone its keyboard.
            on:mousedown=|event| event.prevent_default()
            on:click=move |_| show(!shown.get_untracked())
        >
            <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">
                <path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z" />
                <path d="M4 4l16 16" />
            </svg>
        </button>
    }
}

/// Puts the caret into the first field of a page that is one form, where that brings up no keyboard
/// on the screen, and nobody has begun elsewhere.
pub fn begin_in(field: NodeRef<Input>) {
    // Runs in the browser alone.
    Effect::new(move |_| {
        let begun = document().active_element().is_some_and(|it| it.tag_name() != "BODY");
        if let Some(field) = field.get().filter(|_| has_keyboard() && !begun) {
            _ = field.focus();
        }
    });
}

#[cfg(feature = "hydrate")]
use crate::dom::has_keyboard;

#[cfg(not(feature = "hydrate"))]
fn has_keyboard() -> bool {
    false
}

/// For whom a plain form's page is: the server refuses it once another person has signed in in the same
/// browser. Nothing on pages of nobody.
#[component]
pub fn ForWhom() -> impl IntoView {
    use_session().me.map(|me| view! { <input type="hidden" name="for" value=me.id.to_string() /> })
}

/// What is wrong with a form as a whole. Always there, so that a change in it is announced.
#[component]
pub fn FormAlert(
    /// What to say.
    text: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <div role="alert" class="form-alert" class:is-empty=move || text.with(Option::is_none)>
            {move || text.get().unwrap_or_default()}
        </div>
    }
}
