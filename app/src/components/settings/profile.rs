//! The user's display name.

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use protocol::User;

use super::{Outcome, SaveButton, SettingsSection, ask};
use crate::bootstrap::use_bootstrap;
use crate::components::{Avatar, FieldKind, ForWhom, TextField};
use crate::error_messages::error_message;
use crate::language::use_texts;
use crate::paths;
use crate::server_fns::set_display_name;
use crate::state::use_state;

/// The form for the display name, with the avatar.
#[component]
pub fn Profile(
    /// The signed-in user.
    user: User,
) -> impl IntoView {
    let (t, state, echo) = (use_texts(), use_state(), use_bootstrap().echo);
    let outcome = RwSignal::new(Outcome::Untouched);
    let field = NodeRef::<Input>::new();
    let shown = RwSignal::new(user.clone());
    // A display name equal to the username means that the user has chosen none.
    let value = match (echo.error, user.display_name == user.username) {
        (Some(_), _) => echo.display_name,
        (None, true) => String::new(),
        (None, false) => user.display_name.clone(),
    };
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(field) = field.get_untracked() else { return };
        ask(outcome, set_display_name(field.value()), move |user| {
            shown.set(user.clone());
            state.apply_user(&user);
        });
    };
    view! {
        <SettingsSection id="profile" title=t.profile help=t.account().profile_help>
            <div class="flex items-center gap-4">
                {move || view! { <Avatar user=shown.get() class="avatar-large" /> }}
                <span class="min-w-0">
                    <span class="block truncate text-lg font-semibold" dir="auto">{move || shown.with(|user| user.display_name.clone())}</span>
                    <span class="block truncate text-muted" dir="ltr">"@" {user.username.clone()}</span>
                </span>
            </div>
            <form class="flex flex-col gap-4" method="post" action=paths::SET_NAME on:submit=on_submit>
                <ForWhom />
                <TextField
                    kind=FieldKind::DisplayName
                    node_ref=field
                    value=value
                    error=Signal::derive(move || outcome.get().error().map(|error| error_message(t, error)))
                />
                <SaveButton outcome=outcome label=t.account().save busy=t.saving done=t.account().saved />
            </form>
        </SettingsSection>
    }
}
