//! Form fields with label, help and error.

use leptos::html::Input;
use leptos::prelude::*;

use crate::bootstrap::use_bootstrap;
use crate::browser::{has_keyboard, while_shown};
use crate::language::{Texts, use_texts};

/// The purpose of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// The username for signing in.
    Username,
    /// The username of a new account.
    NewUsername,
    /// The display name of a new account.
    NewName,
    /// The display name of an existing account.
    DisplayName,
    /// The password for signing in or confirming.
    CurrentPassword,
    /// The password of a new account.
    NewPassword,
    /// The present password, in the form that changes the password.
    PresentPassword,
    /// The new password, in the form that changes the password.
    NextPassword,
    /// The name of a passkey.
    PasskeyName,
    /// A code of an authenticator app, or a recovery code.
    Code,
    /// The first code of an authenticator app, in the set-up.
    AppCode,
}

struct Shape {
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    capitals: &'static str,
    /// `enterkeyhint`: the label of the Enter key on a screen keyboard.
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
            // `webauthn` lets the browser offer passkeys in the field.
            Self::Username => Shape { autocomplete: "username webauthn", ..username },
            // The server derives the username from the name if the field is empty.
            Self::NewUsername => Shape { help: Some(t.username_help), required: false, ..username },
            Self::NewName => name,
            Self::DisplayName => Shape { enter: "done", ..name },
            Self::CurrentPassword => password,
            Self::PresentPassword => {
                Shape { name: "current", label: t.present_password, enter: "next", ..password }
            }
            Self::NextPassword => Shape { name: "new", label: t.next_password, ..new_password },
            Self::NewPassword => new_password,
            Self::PasskeyName => Shape {
                name: "name",
                label: t.language.passkeys().name,
                autocomplete: "off",
                capitals: "words",
                enter: "done",
                help: Some(t.language.passkeys().name_help),
                required: false,
                ..username
            },
            Self::Code => Shape {
                name: "code",
                label: t.language.two_step().code,
                autocomplete: "one-time-code",
                enter: "go",
                help: Some(t.code_needed),
                ..username
            },
            Self::AppCode => {
                Shape { help: Some(t.language.two_step().app_code_help), ..Self::Code.shape(t) }
            }
        }
    }
}

/// A labelled field. Its error is shown below it and linked by `aria-describedby`.
#[component]
pub fn TextField(
    kind: FieldKind,
    node_ref: NodeRef<Input>,
    /// The initial value.
    value: String,
    /// The error, if any.
    error: Signal<Option<String>>,
    /// The id, if the page has another field of the same name.
    #[prop(optional, into)]
    id: Option<String>,
) -> impl IntoView {
    let t = use_texts();
    let shape = kind.shape(t);
    let id = id.unwrap_or_else(|| shape.name.to_owned());
    let (help_id, error_id) = (format!("{id}-help"), format!("{id}-error"));
    let has_error = Memo::new(move |_| error.with(Option::is_some));
    // The error replaces the help, because it says which input is valid.
    let described_by = {
        let (help_id, error_id) = (shape.help.map(|_| help_id.clone()), error_id.clone());
        move || if has_error.get() { Some(error_id.clone()) } else { help_id.clone() }
    };
    let is_secret = shape.kind == "password";
    view! {
        <div class="field">
            <label for=id.clone()>{shape.label}</label>
            <div class="field-box">
                <input
                    node_ref=node_ref
                    id=id
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

/// Toggles the visibility of a password. Submitting a form hides the password again.
#[component]
fn Eye(
    t: &'static Texts,
    /// The password field.
    field: NodeRef<Input>,
) -> impl IntoView {
    let shown = RwSignal::new(false);
    let show = move |show: bool| {
        let Some(field) = field.get_untracked().filter(|_| shown.get_untracked() != show) else {
            return;
        };
        // Some browsers move the caret to the start when the type of a field changes.
        let caret = (field.selection_start(), field.selection_end());
        field.set_type(if show { "text" } else { "password" });
        if let (Ok(Some(start)), Ok(Some(end))) = caret {
            _ = field.set_selection_range(start, end);
        }
        shown.set(show);
    };
    while_shown(leptos::ev::submit, move |_| show(false));
    view! {
        <button
            class="field-eye"
            type="button"
            aria-label=t.show_password
            title=t.show_password
            aria-pressed=move || if shown.get() { "true" } else { "false" }
            // The field keeps the focus, so a phone keeps its keyboard open.
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

/// Focuses the first field of a page that is a single form, unless that would open a screen
/// keyboard or the user has already focused another element.
pub fn begin_in(field: NodeRef<Input>) {
    // Effects run in the browser only.
    Effect::new(move |_| {
        let begun = document().active_element().is_some_and(|element| element.tag_name() != "BODY");
        if let Some(field) = field.get().filter(|_| has_keyboard() && !begun) {
            _ = field.focus();
        }
    });
}

/// The id of the user a page was rendered for, as a hidden field of a plain form. The server
/// refuses the form if another user has signed in in the same browser since. Absent on signed-out
/// pages.
#[component]
pub fn ForWhom() -> impl IntoView {
    use_bootstrap()
        .me
        .map(|me| view! { <input type="hidden" name="for" value=me.id.to_string() /> })
}

/// The error of a form as a whole. Always rendered, so that screen readers announce a change.
#[component]
pub fn FormAlert(
    /// The error, if any.
    text: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <div role="alert" class="form-alert" class:is-empty=move || text.with(Option::is_none)>
            {move || text.get().unwrap_or_default()}
        </div>
    }
}
