//! An address that leads nowhere.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::Wordmark;
use crate::paths;

/// The page for an address that does not exist.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::context::set_status(axum::http::StatusCode::NOT_FOUND);
    view! {
        <Title text="Page not found" />
        <main class="card-page">
            <div class="card text-center">
                <Wordmark />
                <p class="mt-6 text-5xl font-semibold text-accent" aria-hidden="true">"404"</p>
                <h1 class="mt-2 text-xl font-semibold">"There is nothing here"</h1>
                <p class="mt-2 text-muted">"The address may be mistyped, or what was here is gone."</p>
                <a class="button-primary mt-6 inline-flex" href=paths::HOME rel="external">"Go to your conversations"</a>
            </div>
        </main>
    }
}
