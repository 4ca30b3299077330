//! The parts of the settings page, one choice or one form each. Every one is a plain form that
//! works without scripts; once the page is live the same form asks the server in place.

mod appearance;
mod delete_account;
mod devices;
mod on_device;
mod password;
mod privacy;
mod profile;

use leptos::prelude::*;
use leptos::task::spawn_local;

pub use appearance::Appearance;
pub use delete_account::DeleteAccount;
pub use devices::Devices;
pub use on_device::KeepOnDevice;
pub use password::ChangePassword;
pub use privacy::PrivacyChoices;
pub use profile::Profile;

use crate::error::AppError;
use crate::language::use_texts;

/// What became of a form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    #[default]
    Untouched,
    /// It is being asked for.
    Busy,
    /// It is done.
    Done,
    /// It was not done.
    Refused(AppError),
}

impl Outcome {
    /// Why it was not done.
    pub fn error(self) -> Option<AppError> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

/// Asks the server, once at a time, and keeps what became of it.
pub fn ask<T: 'static>(
    outcome: RwSignal<Outcome>,
    question: impl Future<Output = Result<T, AppError>> + 'static,
    then: impl FnOnce(T) + 'static,
) {
    if outcome.get_untracked() == Outcome::Busy {
        return;
    }
    outcome.set(Outcome::Busy);
    spawn_local(async move {
        let answer = question.await;
        // The page may have been left meanwhile.
        _ = outcome.try_set(match &answer {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Refused(*error),
        });
        if let Ok(answer) = answer {
            then(answer);
        }
    });
}

/// A part of the page under its heading.
#[component]
pub fn SettingsSection(
    /// Its id, for links and for its label.
    id: &'static str,
    /// Its heading.
    title: &'static str,
    /// A sentence under the heading.
    #[prop(optional)]
    help: &'static str,
    /// What is in it.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="settings-section" aria-labelledby=id>
            <h2 id=id class="text-lg font-semibold">{title}</h2>
            {(!help.is_empty()).then(|| view! { <p class="text-sm text-muted">{help}</p> })}
            {children()}
        </section>
    }
}

/// The button of a form, and beside it that it is done.
#[component]
pub fn SaveButton(
    /// What became of the form.
    outcome: RwSignal<Outcome>,
    /// What the button says.
    label: &'static str,
    /// What it says while the server is asked.
    busy: &'static str,
    /// What is said when it is done.
    done: &'static str,
    /// Whether pressing it destroys something.
    #[prop(optional)]
    danger: bool,
) -> impl IntoView {
    let is = move |expected| outcome.get() == expected;
    view! {
        <div class="flex flex-wrap items-center gap-3">
            <button
                class=if danger { "button-danger" } else { "button-primary" }
                type="submit"
                aria-disabled=move || is(Outcome::Busy).then_some("true")
            >
                {move || if is(Outcome::Busy) { busy } else { label }}
            </button>
            <span class="settings-done" class:is-shown=move || is(Outcome::Done) role="status">
                {move || if is(Outcome::Done) { done } else { "" }}
            </span>
        </div>
    }
}

/// A switch with its label and what it means.
#[component]
pub fn Switch(
    /// Its name in the form; it sends `true` when it is on.
    name: &'static str,
    /// What it is called.
    label: &'static str,
    /// What it means.
    help: &'static str,
    /// How it stands at first.
    on: bool,
) -> impl IntoView {
    let help_id = format!("{name}-help");
    view! {
        <div class="choice">
            <label>
                <span class="font-medium">{label}</span>
                <input type="checkbox" role="switch" name=name value="true" checked=on aria-describedby=help_id.clone() />
            </label>
            <p class="field-help" id=help_id>{help}</p>
        </div>
    }
}

/// A form's button for pages without scripts, as text: a browser that runs scripts does not parse
/// what is inside `noscript`.
#[component]
pub fn PlainSave() -> impl IntoView {
    let button =
        format!("<button class=\"button-primary\" type=\"submit\">{}</button>", use_texts().save);
    view! { <noscript inner_html=button></noscript> }
}
