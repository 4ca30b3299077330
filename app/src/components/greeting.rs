//! The introduction for users who are not signed in: what Duet is, and who runs the server.

use leptos::prelude::*;

use crate::bootstrap::use_bootstrap;
use crate::language::use_texts;

/// Two sentences, and the operator's welcome text if there is one.
#[component]
pub fn Greeting() -> impl IntoView {
    let (t, bootstrap) = (use_texts(), use_bootstrap());
    let run_by = match bootstrap.run_by.as_str() {
        "" => t.run_by_giver.to_owned(),
        name => t.fill(t.run_by, name),
    };
    view! {
        <p class="mt-3 text-muted">{t.what_this_is}" "{run_by}</p>
        {(!bootstrap.welcome.is_empty()).then(|| view! {
            <p class="greeting-welcome" dir="auto">{bootstrap.welcome}</p>
        })}
    }
}
