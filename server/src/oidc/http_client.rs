//! The HTTP client for the sign-in provider. The client follows no redirects, because an answer
//! must come from the issuer or from an address that the issuer publishes. The size and the time of
//! each answer are bounded. Called by [`super`] alone.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// Time limit of one request, from the connection to the last byte. A return of the browser causes
/// up to four requests, which must all end within the 20 s of the answer to the browser.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// Longest answer in bytes. The keys of a large provider have some ten kilobytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("no answer within {} s", ANSWERED_WITHIN.as_secs())]
    Late,
    #[error("cannot reach the provider: {0}")]
    Unreached(String),
    #[error("cannot read the answer of the provider: {0}")]
    Unread(String),
}

/// A client for one provider.
pub(super) struct HttpClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl HttpClient {
    /// Trusts the certificate authorities of the system. With `is_plain`, also allows http.
    pub(super) fn new(is_plain: bool) -> io::Result<Self> {
        let builder = HttpsConnectorBuilder::new().with_native_roots()?;
        let builder = if is_plain { builder.https_or_http() } else { builder.https_only() };
        Ok(Self(Client::builder(TokioExecutor::new()).build(builder.enable_http1().build())))
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        let answer = self.0.request(request).await;
        let (head, body) = answer.map_err(|error| NoAnswer::Unreached(chain(&error)))?.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| NoAnswer::Unread(error.to_string()))?.to_bytes();
        Ok(HttpResponse::from_parts(head, body.to_vec()))
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = tokio::time::timeout(ANSWERED_WITHIN, self.answer(request)).await;
            answer.unwrap_or(Err(NoAnswer::Late))
        })
    }
}

/// An error with its causes, which name the address and the reason.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
