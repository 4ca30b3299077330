//! The 404 page.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::Wordmark;
use crate::language::use_texts;
use crate::paths;

/// The page for an unknown address. Sets status 404.
#[component]
pub fn NotFound() -> impl IntoView {
    #[cfg(feature = "ssr")]
    crate::response::set_status(axum::http::StatusCode::NOT_FOUND);
    let t = use_texts();
    view! {
        <Title text=t.page_not_found />
        <main class="card-page">
            <div class="card text-center">
                <Wordmark />
                <p class="mt-6 text-5xl font-semibold text-accent" aria-hidden="true">"404"</p>
                <h1 class="mt-2 text-xl font-semibold">{t.nothing_here}</h1>
                <p class="mt-2 text-muted">{t.nothing_here_why}</p>
                <a class="button-primary mt-6 inline-flex" href=paths::HOME rel="external">{t.go_to_conversations}</a>
            </div>
        </main>
    }
}
