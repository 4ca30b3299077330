//! All routes and the middleware in front of them, in their order. Contains no logic of a route.
//! Called by [`crate::run`].

use std::convert::Infallible;
use std::path::Path;

use app::content_security_policy::REPORTS_PATH;
use app::error::AppError;
use app::{App, shell};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any, get, post};
use leptos_axum::{LeptosRoutes, generate_route_list, render_app_async_with_context};
use protocol::limits::MAX_REQUEST_BYTES;
use protocol::{ErrorCode, SOCKET_PATH};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::services::ServeDir;

use crate::state::AppState;
use crate::{
    bodies, csp_reports, guard, headers, health, json_errors, requests, security_txt, socket,
};

/// Compression level of pages. Brotli level 5 makes a page a seventh smaller than gzip at about the
/// same CPU cost.
const PAGE_QUALITY: CompressionLevel = CompressionLevel::Precise(5);

pub(crate) fn router(state: AppState) -> Router {
    let addresses = app::request::Addresses(state.origins.all().into());
    let (chat, cookies) = (state.chat.clone(), state.cookies.clone());
    let provide = app::request::provider(chat, cookies, addresses, state.greeting.clone());
    let options = state.leptos.clone();
    let preload = provide.clone();
    #[cfg(feature = "oidc")]
    let sign_in_provider =
        state.oidc.clone().map(|oidc| crate::oidc::routes(oidc, provide.clone(), options.clone()));
    let not_found_options = options.clone();
    let not_found =
        render_app_async_with_context(provide.clone(), move || shell(not_found_options.clone()));
    let pages = Router::new();
    #[cfg(feature = "oidc")]
    let pages = pages.merge(sign_in_provider.unwrap_or_default());
    let pages = pages
        .merge(app::plain_forms::routes(provide.clone(), options.clone()))
        .leptos_routes_with_context(&state, generate_route_list(App), provide.clone(), move || {
            shell(options.clone())
        })
        .fallback_service(site_files(&state.site, any(not_found)))
        .layer(from_fn(move |request, next| {
            app::preload::middleware(preload.clone(), request, next)
        }))
        .layer(from_fn(app::structure::middleware))
        .layer(CompressionLayer::new().quality(PAGE_QUALITY));

    Router::new()
        .route(SOCKET_PATH, get(socket::upgrade))
        .merge(pages)
        .layer(from_fn_with_state(state.clone(), guard::session))
        // Routes from here on have no session: health checks and the built files.
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .merge(security_file(&state))
        .nest_service("/pkg", built_files(&state))
        .layer(from_fn_with_state(state.clone(), limit_time))
        .layer(from_fn_with_state(state.clone(), bodies::complete))
        .layer(from_fn_with_state(state.clone(), guard::same_origin))
        .route(REPORTS_PATH, reports(&state))
        .layer(from_fn(guard::limit_uri_length))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(MAX_REQUEST_BYTES))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(json_errors::as_json))
        .layer(from_fn_with_state(state.clone(), headers::secure))
        .layer(from_fn_with_state(state.clone(), requests::identify))
        .with_state(state)
}

/// Serves `security.txt` if the operator has set a contact; otherwise the path has the page for
/// unknown addresses.
fn security_file(state: &AppState) -> Router<AppState> {
    match state.security_txt.clone() {
        Some(text) => {
            Router::new().route(security_txt::PATH, get(move || async move { text.to_string() }))
        }
        None => Router::new(),
    }
}

/// Receives the reports of browsers.
fn reports(state: &AppState) -> MethodRouter<AppState> {
    post(csp_reports::receive)
        .layer::<_, Infallible>(from_fn_with_state(state.clone(), bodies::complete))
        .layer(RequestBodyLimitLayer::new(csp_reports::MAX_BYTES))
}

/// Serves icons, manifest and service worker; every other path gets the page `not_found`. The
/// file handler of Leptos is not used, because it takes the response headers of a page that the
/// same thread is rendering. Such a page then lacks its policy, so that neither its styles nor its
/// scripts run.
fn site_files(site: &Path, not_found: MethodRouter) -> ServeDir<MethodRouter> {
    ServeDir::new(site)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip()
        .call_fallback_on_method_not_allowed(true)
        .fallback(not_found)
}

/// Serves scripts, styles and WASM, which the build has compressed. File names contain a hash, so
/// browsers may cache them for ever. In development the names are fixed and browsers revalidate
/// them.
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

/// Ends the work on a complete request that exceeds the time limit. The requested change may have
/// been made; the response says so, for pages and API calls alike.
async fn limit_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_call = request.uri().path().starts_with("/api/");
    match tokio::time::timeout(state.time_limits.answer, next.run(request)).await {
        Ok(response) => response,
        Err(_) if is_call => {
            let refused = AppError::from(ErrorCode::TimedOut);
            (StatusCode::REQUEST_TIMEOUT, axum::Json(refused)).into_response()
        }
        Err(_) => {
            let text = "Duet took too long to answer. Go back and check whether your change was \
                        made before you try again.";
            (StatusCode::REQUEST_TIMEOUT, text).into_response()
        }
    }
}

/// Answers after a panic. The panic hook has already logged the message and the thread.
fn panicked(_panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a request panicked and was answered with 500");
    (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong. Nothing was changed.")
        .into_response()
}
