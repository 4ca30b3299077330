//! Sign-in through the operator's provider of OpenID Connect: the authorization code flow with PKCE.
//!
//! This module sends requests to the provider and verifies its ID tokens. `chat` decides what a
//! proven identity may do, and makes and checks the state of each round ([`chat::Round`]), which is
//! a cookie. Duet works while the provider does not: what the provider publishes is fetched when it
//! is needed, and only the routes here fail.
//!
//! - `http_client`: bounded requests to the provider
//! - `log_text`: the texts of strangers in the log
//! - `routes`: the routes of the browser

mod http_client;
mod log_text;
mod routes;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chat::Round;
use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken,
    CoreIdTokenClaims, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use protocol::Timestamp;
use url::Url;

use crate::config::ProviderSettings;
use http_client::HttpClient;
use log_text::printable;
pub(crate) use routes::routes;

/// How long the provider's published addresses and keys are used before they are fetched again.
const KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// A signature that does not match may be by a key that the provider has added since. The keys are fetched
/// again, but not more often than this.
const KEYS_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The asymmetric algorithms. With a symmetric one, whoever has the client secret could sign.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type FoundClient = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why a round with the provider failed. The texts are for the log; they may quote the provider, and are
/// escaped when they are displayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the sign-in provider cannot be used: {}", printable(.0))]
    Unavailable(String),
    #[error("the answer of the sign-in provider was refused: {}", printable(.0))]
    Refused(String),
}

/// The user that the provider has proved.
pub(crate) struct Proven {
    pub(crate) subject: String,
    pub(crate) username: String,
    pub(crate) authenticated_at: Option<Timestamp>,
}

/// What the provider publishes.
#[derive(Clone)]
struct Found {
    metadata: CoreProviderMetadata,
    fetched_at: Instant,
}

/// The operator's provider.
pub(crate) struct Provider {
    issuer: IssuerUrl,
    id: ClientId,
    secret: Option<ClientSecret>,
    redirect: RedirectUrl,
    http: HttpClient,
    /// Held to copy only, never across an await.
    found: Mutex<Option<Found>>,
}

impl Provider {
    /// Does not call the provider.
    pub(crate) fn new(settings: ProviderSettings) -> Result<Self> {
        let ProviderSettings { issuer, client, .. } = settings;
        let is_plain = issuer.starts_with("http:");
        let issuer = IssuerUrl::new(issuer).context("DUET_OIDC_ISSUER is not a URL")?;
        let http = HttpClient::new(is_plain);
        Ok(Self {
            issuer,
            id: ClientId::new(client.id),
            secret: client.secret.map(ClientSecret::new),
            redirect: RedirectUrl::new(client.redirect).context("DUET_PUBLIC_URL is not a URL")?,
            http: http.context("cannot read the certificate authorities of the system")?,
            found: Mutex::new(None),
        })
    }

    /// Calls the provider once and logs the result, so that the operator learns of a mistake at start. Ends
    /// by itself, within the time limits of the requests.
    pub(crate) fn try_at_start(self: Arc<Self>) {
        tokio::spawn(async move {
            let issuer = self.issuer.as_str();
            match self.found(KNOWN_FOR).await {
                Ok(_) => tracing::info!(issuer, "the sign-in provider is ready"),
                Err(error) => tracing::warn!(
                    issuer,
                    "{error}; Duet runs without the provider, and tries again at each sign-in through the provider"
                ),
            }
        });
    }

    /// Returns the address at the provider to which a round begins.
    pub(crate) async fn address(&self, round: &Round) -> Result<Url, Failure> {
        let client = self.client(self.found(KNOWN_FOR).await?);
        let verifier = PkceCodeVerifier::new(round.verifier.clone());
        let (state, nonce) = (round.state.clone(), round.nonce.clone());
        let request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .add_scope(Scope::new("profile".to_owned()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        let (address, _, _) = match round.is_fresh {
            true => request.add_prompt(CoreAuthPrompt::Login).set_max_age(Duration::ZERO).url(),
            false => request.url(),
        };
        Ok(address)
    }

    /// Exchanges the code of a round for the ID token, and verifies the token.
    pub(crate) async fn prove(&self, round: &Round, code: String) -> Result<Proven, Failure> {
        let client = self.client(self.found(KNOWN_FOR).await?);
        let request = client.exchange_code(AuthorizationCode::new(code));
        let request = request.map_err(|error| Failure::Unavailable(error.to_string()))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(round.verifier.clone()));
        let tokens = request.request_async(&self.http).await.map_err(token_failure)?;
        let token = tokens.id_token();
        let token = token.ok_or_else(|| Failure::Refused("it has no ID token".to_owned()))?;
        let claims = self.verified(token, &round.nonce).await?;
        let username = match claims.preferred_username() {
            Some(username) => username.as_str().to_owned(),
            None => self.username(&client, tokens.access_token(), &claims).await,
        };
        Ok(Proven {
            subject: claims.subject().to_string(),
            username,
            authenticated_at: claims.auth_time().map(|time| Timestamp(time.timestamp_millis())),
        })
    }

    /// Verifies issuer, audience, signature, expiry and nonce.
    async fn verified(
        &self,
        token: &CoreIdToken,
        nonce: &str,
    ) -> Result<CoreIdTokenClaims, Failure> {
        let verify = |found: Found| {
            let client = self.client(found);
            let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
            token.claims(&verifier, &Nonce::new(nonce.to_owned())).cloned()
        };
        let verified = match verify(self.found(KNOWN_FOR).await?) {
            Ok(claims) => Ok(claims),
            Err(_) => verify(self.found(KEYS_AGAIN_AFTER).await?),
        };
        verified.map_err(|error| Failure::Refused(error.to_string()))
    }

    /// Asks for the username, which some providers leave out of the ID token. It is a suggestion only, so
    /// a failure counts as none.
    async fn username(
        &self,
        client: &FoundClient,
        token: &AccessToken,
        claims: &CoreIdTokenClaims,
    ) -> String {
        let request = client.user_info(token.clone(), Some(claims.subject().clone()));
        let Ok(request) = request else { return String::new() };
        let answer: Result<CoreUserInfoClaims, _> = request.request_async(&self.http).await;
        match answer {
            Ok(user) => {
                user.preferred_username().map(|name| name.as_str().to_owned()).unwrap_or_default()
            }
            Err(error) => {
                let error = printable(&with_cause(&error));
                tracing::debug!(%error, "the sign-in provider gave no username");
                String::new()
            }
        }
    }

    /// Returns what the provider publishes, fetched at most this long ago. Several callers may fetch at
    /// once; the limits of sign-ins bound them.
    async fn found(&self, within: Duration) -> Result<Found, Failure> {
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(found) = known.filter(|found| found.fetched_at.elapsed() < within) {
            return Ok(found);
        }
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = metadata.map_err(|error| Failure::Unavailable(with_cause(&error)))?;
        let is_plain = self.issuer.url().scheme() == "http";
        if !is_plain && metadata.authorization_endpoint().url().scheme() != "https" {
            let why = "its address for sign-ins is not https";
            return Err(Failure::Unavailable(why.to_owned()));
        }
        let found = Found { metadata, fetched_at: Instant::now() };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    fn client(&self, found: Found) -> FoundClient {
        let methods = found.metadata.token_endpoint_auth_methods_supported().cloned();
        // Without a list, the standard means basic authentication.
        let takes_basic = methods
            .is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let auth = if takes_basic { AuthType::BasicAuth } else { AuthType::RequestBody };
        CoreClient::from_provider_metadata(found.metadata, self.id.clone(), self.secret.clone())
            .set_redirect_uri(self.redirect.clone())
            .set_auth_type(auth)
    }
}

/// A provider that refuses a code has answered; everything else is an outage or a mistake in the settings.
fn token_failure<E, T>(error: openidconnect::RequestTokenError<E, T>) -> Failure
where
    E: std::error::Error + 'static,
    T: openidconnect::ErrorResponse + 'static,
{
    match error {
        openidconnect::RequestTokenError::ServerResponse(answer) => {
            Failure::Refused(format!("{answer:?}"))
        }
        error => Failure::Unavailable(with_cause(&error)),
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
