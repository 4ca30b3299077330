//! The sections of the settings page. Each form works without scripts; after hydration the same
//! form calls its server function in place.

mod appearance;
mod blocked;
mod confirmation;
mod delete_account;
mod device_link;
mod devices;
mod identities;
mod offline_copies;
mod passkeys;
mod password;
mod privacy;
mod profile;
mod recovery_codes;
mod two_step;

use leptos::prelude::*;
use leptos::task::spawn_local;

pub use appearance::Appearance;
pub use blocked::BlockedPeople;
pub use confirmation::{ConfirmsAt, HasPassword};
pub use delete_account::DeleteAccount;
pub use devices::Devices;
pub use identities::Identities;
pub use offline_copies::OfflineCopies;
pub use passkeys::Passkeys;
pub use password::ChangePassword;
pub use privacy::PrivacyChoices;
pub use profile::Profile;
#[cfg(feature = "ssr")]
pub(crate) use recovery_codes::{grouped, recovery_code_list, recovery_file_link};
pub use two_step::TwoStep;

use crate::error::AppError;
use crate::language::use_texts;

/// The state of a form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    #[default]
    Untouched,
    /// The request is in flight.
    Busy,
    /// The request succeeded.
    Done,
    /// The request failed.
    Refused(AppError),
}

impl Outcome {
    /// The error, if the request failed.
    pub fn error(self) -> Option<AppError> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

/// Sends a request and stores its outcome. Does nothing while a request is in flight.
pub fn ask<T: 'static>(
    outcome: RwSignal<Outcome>,
    call: impl Future<Output = Result<T, AppError>> + 'static,
    then: impl FnOnce(T) + 'static,
) {
    if outcome.get_untracked() == Outcome::Busy {
        return;
    }
    outcome.set(Outcome::Busy);
    spawn_local(async move {
        let answer = call.await;
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

/// A section of the page with its heading.
#[component]
pub fn SettingsSection(
    /// The id of the heading, for links and `aria-labelledby`.
    id: &'static str,
    title: &'static str,
    /// A sentence under the heading.
    #[prop(optional)]
    help: &'static str,
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

/// The submit button of a form, with a confirmation beside it.
#[component]
pub fn SaveButton(
    outcome: RwSignal<Outcome>,
    label: &'static str,
    /// The label while the request is in flight.
    busy: &'static str,
    /// The confirmation.
    done: &'static str,
    /// Whether the action is destructive.
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

/// A switch with label and help.
#[component]
pub fn Switch(
    /// The name in the form. A switch that is on sends `true`.
    name: &'static str,
    label: &'static str,
    help: &'static str,
    /// The initial state.
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

/// The submit button for pages without scripts. A string, because browsers that run scripts do not
/// parse `noscript`.
#[component]
pub fn PlainSave() -> impl IntoView {
    let button = format!(
        "<button class=\"button-primary\" type=\"submit\">{}</button>",
        use_texts().account().save
    );
    view! { <noscript inner_html=button></noscript> }
}
