//! The introduction for users who are not signed in: what Duet is, and who runs the server.

use leptos::prelude::*;

use crate::language::use_texts;
use crate::session::use_session;

/// Two sentences, and the operator's welcome text if there is one.
#[component]
pub fn Greeting() -> impl IntoView {
    let (t, session) = (use_texts(), use_session());
    let run_by = match session.run_by.as_str() {
        "" => t.run_by_giver.to_owned(),
        name => t.fill(t.run_by, name),
    };
    view! {
        <p class="mt-3 text-muted">{t.what_this_is}" "{run_by}</p>
        {(!session.welcome.is_empty()).then(|| view! {
            <p class="greeting-welcome" dir="auto">{session.welcome}</p>
        })}
    }
}
