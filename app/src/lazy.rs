//! Lazily loaded code, which keeps the WebAssembly of a conversation small.
//!
//! The release build splits this code off (feature `split`, with `--split` of cargo-leptos). Any
//! other build, including `cargo leptos watch`, is one file; the server is the same in both.
//! Loading fails without a network or if the server has another build by then; the caller handles
//! the failure.

use std::time::Duration;

use leptos::prelude::set_timeout;
use leptos::task::spawn_local;
pub use wasm_split_helpers::SplitLoaderError as NotLoaded;

/// Delay before lazy code is preloaded. The page has its first messages by then.
const SOON: Duration = Duration::from_millis(1_500);

/// Preloads lazy code after a delay, so that the code is available at once and without a network.
pub fn soon(loading: impl Future<Output = ()> + 'static) {
    set_timeout(move || spawn_local(loading), SOON);
}

/// Defines functions whose code is in one file each. Calling a function loads its file first. The
/// function named after `by` only loads the file.
macro_rules! lazy_functions {
    ($($(#[$doc:meta])* fn $name:ident() -> $answer:ty { $body:expr } $(by $load:ident)?)*) => {$(
        $(#[$doc])*
        #[cfg(feature = "split")]
        #[wasm_split_helpers::wasm_split($name, $(preload($load),)? fallible)]
        fn $name() -> Result<$answer, $crate::lazy::NotLoaded> {
            Ok($body)
        }

        $(#[$doc])*
        #[cfg(not(feature = "split"))]
        async fn $name() -> Result<$answer, $crate::lazy::NotLoaded> {
            #[cfg(feature = "ssr")]
            leptos::prefetch_lazy_fn_on_server(stringify!($name));
            Ok($body)
        }

        $(
            #[cfg(not(feature = "split"))]
            async fn $load() -> Result<(), $crate::lazy::NotLoaded> {
                Ok(())
            }
        )?
    )*};
}

pub(crate) use lazy_functions;
