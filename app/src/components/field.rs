//! Labelled fields with their help and their error beside them.

use leptos::html::Input;
use leptos::prelude::*;

use crate::language::{Texts, use_texts};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// The username, to sign in with.
    Username,
    /// A username to be taken.
    NewUsername,
    /// The name others will see.
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
            help: None,
            required: true,
        };
        let password = Shape {
            name: "password",
            label: t.password,
            kind: "password",
            autocomplete: "current-password",
            ..username
        };
        match self {
            Self::Username => username,
            Self::NewUsername => Shape { help: Some(t.username_help), ..username },
            Self::DisplayName => Shape {
                name: "display_name",
                label: t.display_name,
                autocomplete: "name",
                help: Some(t.display_name_help),
                required: false,
                ..username
            },
            Self::CurrentPassword => password,
            Self::PresentPassword => {
                Shape { name: "current", label: t.present_password, ..password }
            }
            Self::NextPassword => Shape {
                name: "new",
                label: t.next_password,
                autocomplete: "new-password",
                help: Some(t.password_help),
                ..password
            },
            Self::NewPassword => {
                Shape { autocomplete: "new-password", help: Some(t.password_help), ..password }
            }
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
    let shape = kind.shape(use_texts());
    let (help_id, error_id) = (format!("{}-help", shape.name), format!("{}-error", shape.name));
    let has_error = Memo::new(move |_| error.with(Option::is_some));
    // One of the two: what is wrong says what would be right.
    let described_by = {
        let (help_id, error_id) = (shape.help.map(|_| help_id.clone()), error_id.clone());
        move || if has_error.get() { Some(error_id.clone()) } else { help_id.clone() }
    };
    view! {
        <div class="field">
            <label for=shape.name>{shape.label}</label>
            <input
                node_ref=node_ref
                id=shape.name
                name=shape.name
                type=shape.kind
                value=value
                autocomplete=shape.autocomplete
                autocapitalize="none"
                spellcheck="false"
                required=shape.required
                dir="auto"
                aria-invalid=move || has_error.get().then_some("true")
                aria-describedby=described_by
            />
            <p class="field-error" id=error_id class:hidden=move || !has_error.get()>
                {move || error.get().unwrap_or_default()}
            </p>
            {shape.help.map(|help| view! {
                <p class="field-help" id=help_id class:hidden=move || has_error.get()>{help}</p>
            })}
        </div>
    }
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
