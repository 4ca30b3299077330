//! A user's avatar: initials on a colour that is the same everywhere.

use leptos::prelude::*;
use protocol::User;

use crate::text;

/// The initials of a user. Hidden from screen readers, because the name is always beside the
/// avatar.
#[component]
#[expect(clippy::needless_pass_by_value, reason = "a component owns its properties")]
pub fn Avatar(
    user: User,
    /// Whether to show the online mark.
    #[prop(optional, into)]
    online: Signal<bool>,
    /// Additional CSS classes.
    #[prop(optional)]
    class: &'static str,
) -> impl IntoView {
    let initials = text::initials(&user.display_name);
    view! {
        <span class=format!("avatar {} {class}", text::colour(user.id)) aria-hidden="true">
            <span class="avatar-letters">{initials}</span>
            <span class="avatar-online" class:hidden=move || !online.get()></span>
        </span>
    }
}
