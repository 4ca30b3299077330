//! A person's face: initials on a colour that is theirs everywhere.

use leptos::prelude::*;
use protocol::User;

use crate::text;

/// Initials on the person's colour. Decoration: the name always stands beside it.
#[component]
pub fn Avatar(
    /// Whose.
    user: User,
    /// Whether to show the sign for "online".
    #[prop(optional, into)]
    online: Signal<bool>,
    /// Further classes.
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
