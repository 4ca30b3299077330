//! Code that the page loads when it is wanted, so that a conversation does not carry it.
//!
//! The release build cuts it out of the WebAssembly (feature `split`, with cargo-leptos'
//! `--split`); any other build, `cargo leptos watch` too, has it in one piece, and for the server
//! there is no difference. Loading may fail, when there is no network or the server has another
//! build by now: whoever calls says what then.

use std::time::Duration;

use leptos::prelude::set_timeout;
use leptos::task::spawn_local;
pub use wasm_split_helpers::SplitLoaderError as NotLoaded;

/// How long after the page came to life what nobody has wanted yet is loaded: it has its first
/// messages by then.
const SOON: Duration = Duration::from_millis(1_500);

/// Loads something that nobody has wanted yet, a moment later: so it is there at once, and without
/// network too.
pub fn soon(loading: impl Future<Output = ()> + 'static) {
    set_timeout(move || spawn_local(loading), SOON);
}

/// Defines functions that live in a file of their own, one file for each name. Calling one loads
/// it first; the one named behind `by` loads it and does no more.
macro_rules! on_demand {
    ($($(#[$doc:meta])* fn $name:ident() -> $answer:ty { $body:expr } $(by $load:ident)?)*) => {$(
        $(#[$doc])*
        #[cfg(feature = "split")]
        #[wasm_split_helpers::wasm_split($name, $(preload($load),)? fallible)]
        fn $name() -> Result<$answer, $crate::on_demand::NotLoaded> {
            Ok($body)
        }

        $(#[$doc])*
        #[cfg(not(feature = "split"))]
        async fn $name() -> Result<$answer, $crate::on_demand::NotLoaded> {
            #[cfg(feature = "ssr")]
            leptos::prefetch_lazy_fn_on_server(stringify!($name));
            Ok($body)
        }

        $(
            #[cfg(not(feature = "split"))]
            async fn $load() -> Result<(), $crate::on_demand::NotLoaded> {
                Ok(())
            }
        )?
    )*};
}

pub(crate) use on_demand;
