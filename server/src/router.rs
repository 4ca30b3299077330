//! Every route on one screen, and what each request passes on its way in.

use std::time::Duration;

use app::{App, shell};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use leptos_axum::{LeptosRoutes, file_and_error_handler_with_context, generate_route_list};
use protocol::SOCKET_PATH;
use protocol::limits::MAX_REQUEST_BYTES;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::services::ServeDir;
use tower_http::timeout::TimeoutLayer;

use crate::state::AppState;
use crate::{guard, headers, health, socket};

/// A whole request, body included.
const REQUEST_WITHIN: Duration = Duration::from_secs(20);

/// All routes.
pub fn router(state: AppState) -> Router {
    let provide = app::context::provider(state.chat.clone(), state.cookie);
    let options = state.leptos.clone();
    let reading = provide.clone();
    let pages = Router::new()
        .merge(app::forms::routes(provide.clone(), options.clone()))
        .leptos_routes_with_context(&state, generate_route_list(App), provide.clone(), move || {
            shell(options.clone())
        })
        .fallback(file_and_error_handler_with_context::<AppState, _>(provide, shell))
        .layer(from_fn(move |request, next| {
            app::first_view::middleware(reading.clone(), request, next)
        }))
        .layer(CompressionLayer::new());

    Router::new()
        .route(SOCKET_PATH, get(socket::upgrade))
        .merge(pages)
        .layer(from_fn_with_state(state.clone(), guard::session))
        // From here outwards without a session: whoever watches the process, and the built files.
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .nest_service("/pkg", built_files(&state))
        .layer(from_fn_with_state(state.clone(), guard::same_origin))
        .layer(from_fn_with_state(state.clone(), guard::client_ip))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MAX_REQUEST_BYTES))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_WITHIN))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(state.clone(), headers::secure))
        .with_state(state)
}

/// Scripts, styles and WASM, compressed when they were built. Their names hold their hash, so a
/// browser may keep them for ever; in development the names stay and the browser asks each time.
fn built_files(state: &AppState) -> Router {
    let cache = HeaderValue::from_static(if state.leptos.hash_files {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    });
    let files = ServeDir::new(state.site.join("pkg")).precompressed_br().precompressed_gzip();
    Router::new().fallback_service(files).layer(from_fn(move |request: Request, next: Next| {
        let cache = cache.clone();
        async move {
            let mut response = next.run(request).await;
            if response.status().is_success() {
                response.headers_mut().insert(CACHE_CONTROL, cache);
            }
            response
        }
    }))
}

/// A fault of ours: logged with what it said, told without.
fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = said, "a request panicked");
    (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here. Nothing was changed.")
        .into_response()
}
