//! How calls travel from the page: each says for whom the page is, and an answer that concerns the
//! whole page is noticed here, once for all calls.
//!
//! Every server function names [`Calls`] as its client. What an answer means for the page is decided
//! by the one who called `begin`; a call still gets its own answer and shows it where it stands.

use std::future::{Future, ready};

use futures::sink::Drain;
use futures::stream::Pending;
use futures::{Sink, Stream};
use leptos::server_fn::Bytes;
use leptos::server_fn::client::Client;
use leptos::server_fn::client::browser::BrowserClient;
use leptos::server_fn::request::browser::BrowserRequest;
#[cfg(feature = "hydrate")]
use leptos::server_fn::response::ClientRes;
use leptos::server_fn::response::browser::BrowserResponse;

use crate::error::AppError;

#[cfg(feature = "hydrate")]
pub use page::{News, begin};

/// See the module.
pub struct Calls;

impl Client<AppError> for Calls {
    type Request = BrowserRequest;
    type Response = BrowserResponse;

    async fn send(request: BrowserRequest) -> Result<BrowserResponse, AppError> {
        #[cfg(feature = "hydrate")]
        page::mark(&request);
        let answer = <BrowserClient as Client<AppError>>::send(request).await?;
        #[cfg(feature = "hydrate")]
        page::notice(ClientRes::<AppError>::status(&answer));
        Ok(answer)
    }

    /// Nothing of Duet goes this way: its socket is its own.
    fn open_websocket(
        _: &str,
    ) -> impl Future<
        Output = Result<
            (
                impl Stream<Item = Result<Bytes, Bytes>> + Send + 'static,
                impl Sink<Bytes> + Send + 'static,
            ),
            AppError,
        >,
    > + Send {
        ready(Err::<(Pending<Result<Bytes, Bytes>>, Drain<Bytes>), _>(AppError::Unreached))
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        leptos::task::spawn(future);
    }
}

/// The page that the calls come from.
#[cfg(feature = "hydrate")]
mod page {
    use std::cell::OnceCell;

    use leptos::server_fn::request::browser::BrowserRequest;
    use protocol::{FOR_HEADER, UserId};

    /// What an answer says of the page.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum News {
        /// Nobody is signed in any more.
        SignedOut,
        /// Another person is.
        OtherPerson,
    }

    struct Page {
        me: String,
        tell: Box<dyn Fn(News)>,
    }

    thread_local! {
        /// Set once: the person of a page never changes. Empty on pages of nobody, whose calls say
        /// nothing.
        static PAGE: OnceCell<Page> = const { OnceCell::new() };
    }

    /// From now on every call says that this page is `me`'s, and `tell` hears what answers say of it.
    pub fn begin(me: UserId, tell: impl Fn(News) + 'static) {
        // A second time cannot happen, and would change nothing.
        PAGE.with(|page| _ = page.set(Page { me: me.to_string(), tell: Box::new(tell) }));
    }

    pub(super) fn mark(request: &BrowserRequest) {
        PAGE.with(|page| {
            if let Some(page) = page.get() {
                request.headers().set(FOR_HEADER, &page.me);
            }
        });
    }

    /// By the status alone: on a page that is somebody's no other refusal has these two.
    pub(super) fn notice(status: u16) {
        let news = match status {
            401 => News::SignedOut,
            412 => News::OtherPerson,
            _ => return,
        };
        PAGE.with(|page| {
            if let Some(page) = page.get() {
                (page.tell)(news);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    /// A server function with another client would not say for whom the page is.
    #[test]
    fn every_server_function_goes_this_way() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server_fns");
        let mut functions = 0;
        for file in std::fs::read_dir(directory).expect("the directory") {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("its text");
            for attribute in text.split("\n#[server").skip(1) {
                assert!(attribute.starts_with("(client = Calls,"), "{attribute}");
                functions += 1;
            }
        }
        assert!(functions >= 20, "{functions}");
    }
}
