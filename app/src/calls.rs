//! The HTTP client of all server functions. It names the page's user in each request, and reports
//! responses that concern the whole page.
//!
//! Every server function uses [`Calls`] as its client. The handler passed to `begin` decides what a
//! response means for the page; the caller still receives the response and shows it.

use std::future::{Future, ready};

use futures::sink::Drain;
use futures::stream::Pending;
use futures::{Sink, Stream};
use leptos::server_fn::Bytes;
use leptos::server_fn::client::Client;
use leptos::server_fn::client::browser::BrowserClient;
use leptos::server_fn::request::browser::BrowserRequest;
use leptos::server_fn::response::ClientRes;
use leptos::server_fn::response::browser::BrowserResponse;

use crate::error::AppError;

pub use page::{SessionChange, begin};

/// The client type of all server functions.
pub struct Calls;

impl Client<AppError> for Calls {
    type Request = BrowserRequest;
    type Response = BrowserResponse;

    async fn send(request: BrowserRequest) -> Result<BrowserResponse, AppError> {
        page::mark(&request);
        let answer = <BrowserClient as Client<AppError>>::send(request).await?;
        page::notice(ClientRes::<AppError>::status(&answer));
        Ok(answer)
    }

    /// Never called, because Duet opens its own socket.
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

/// The page that sends the requests.
mod page {
    use std::cell::OnceCell;

    use leptos::server_fn::request::browser::BrowserRequest;
    use protocol::{FOR_HEADER, UserId};

    /// What a response reveals about the session.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum SessionChange {
        /// No user is signed in any more.
        SignedOut,
        /// Another user is signed in.
        OtherPerson,
    }

    struct Page {
        me: String,
        report: Box<dyn Fn(SessionChange)>,
    }

    thread_local! {
        /// Set once, because the user of a page never changes. Empty on pages without a user, whose
        /// requests name no user.
        static PAGE: OnceCell<Page> = const { OnceCell::new() };
    }

    /// Makes every request name `me` as the page's user, and passes to `report` what responses
    /// reveal about the session.
    pub fn begin(me: UserId, report: impl Fn(SessionChange) + 'static) {
        // A second call cannot happen and would have no effect.
        PAGE.with(|page| _ = page.set(Page { me: me.to_string(), report: Box::new(report) }));
    }

    pub(super) fn mark(request: &BrowserRequest) {
        PAGE.with(|page| {
            if let Some(page) = page.get() {
                request.headers().set(FOR_HEADER, &page.me);
            }
        });
    }

    /// Evaluates the status alone, because on a page with a user no other refusal has these two
    /// codes.
    pub(super) fn notice(status: u16) {
        let change = match status {
            401 => SessionChange::SignedOut,
            412 => SessionChange::OtherPerson,
            _ => return,
        };
        PAGE.with(|page| {
            if let Some(page) = page.get() {
                (page.report)(change);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    /// A server function with another client would not name the page's user.
    #[test]
    fn every_server_function_uses_this_client() {
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
