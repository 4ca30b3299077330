//! The settings of the sign-in provider, and their check. A binary without the feature `oidc` knows the
//! settings too, so that it can refuse them: an operator must not believe that the provider is in use.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use url::{Host, Url};

use super::name;
use crate::origins::Origins;

/// Longest client secret in bytes, which bounds what is read from a mistaken file.
const MAX_SECRET: u64 = 4 * 1024;

/// The flags and variables of the provider.
#[derive(Clone, Debug, Default, Args)]
pub struct Oidc {
    /// Issuer of an OpenID Connect provider through which people can sign in, such as
    /// `https://id.example.org`, exactly as in its `/.well-known/openid-configuration`. Needs the public
    /// address and a `duet` that was built with the feature `oidc`.
    #[arg(long, env = "DUET_OIDC_ISSUER")]
    pub oidc_issuer: Option<String>,

    /// Client id of this server at the OpenID Connect provider.
    #[arg(long, env = "DUET_OIDC_CLIENT_ID")]
    pub oidc_client_id: Option<String>,

    /// Path to a file with the client secret of this server at the OpenID Connect provider. Without it,
    /// this server is a public client.
    #[arg(long, env = "DUET_OIDC_CLIENT_SECRET_FILE")]
    pub oidc_client_secret_file: Option<PathBuf>,

    /// Name of the OpenID Connect provider on the pages; its host if not set.
    #[arg(long, env = "DUET_OIDC_NAME", value_parser = name)]
    pub oidc_name: Option<String>,
}

/// A provider as the operator has set it.
pub(crate) struct ProviderSettings {
    pub(crate) issuer: String,
    pub(crate) name: String,
    #[cfg_attr(
        not(any(feature = "oidc", test)),
        expect(dead_code, reason = "only the feature calls providers")
    )]
    pub(crate) client: ClientSettings,
}

/// This server as a client of the provider. Has no `Debug`, because of the secret.
#[cfg_attr(
    not(any(feature = "oidc", test)),
    expect(dead_code, reason = "only the feature calls providers")
)]
pub(crate) struct ClientSettings {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) redirect: String,
}

impl Oidc {
    /// Returns the provider, if one is set. `is_compiled` says whether this binary has the feature.
    ///
    /// # Errors
    /// Fails with what to change if a setting is missing or wrong, or if the feature is missing.
    pub(crate) fn provider(
        &self,
        origins: &Origins,
        is_compiled: bool,
    ) -> Result<Option<ProviderSettings>> {
        let Self { oidc_issuer, oidc_client_id, oidc_client_secret_file, oidc_name } = self;
        let is_set = oidc_issuer.is_some()
            || oidc_client_id.is_some()
            || oidc_client_secret_file.is_some()
            || oidc_name.is_some();
        if !is_set {
            return Ok(None);
        }
        if !is_compiled {
            bail!(
                "DUET_OIDC_* variables are set, but this duet was built without OpenID Connect: build \
                 it with DUET_FEATURES=oidc, or remove the variables"
            );
        }
        let issuer = oidc_issuer.as_deref().context("DUET_OIDC_ISSUER is missing")?.trim();
        let id = oidc_client_id.as_deref().context("DUET_OIDC_CLIENT_ID is missing")?.trim();
        let Some(origin) = origins.configured() else {
            bail!(
                "DUET_OIDC_ISSUER needs DUET_PUBLIC_URL, because the provider sends browsers back to \
                 that address"
            );
        };
        let host = host_of(issuer)?;
        let name = oidc_name.clone().unwrap_or(host);
        let secret = oidc_client_secret_file.as_deref().map(secret).transpose()?;
        let redirect = format!("{origin}{}", app::paths::PROVIDER_CALLBACK);
        let client = ClientSettings { id: id.to_owned(), secret, redirect };
        Ok(Some(ProviderSettings { issuer: issuer.to_owned(), name, client }))
    }
}

/// Checks the issuer, and returns its host. Plain http is allowed on this machine alone, because whoever
/// can change the provider's answers can sign in as anybody.
fn host_of(issuer: &str) -> Result<String> {
    let url =
        Url::parse(issuer).with_context(|| format!("DUET_OIDC_ISSUER: {issuer} is no URL"))?;
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let has_more = url.query().is_some() || url.fragment().is_some() || !url.username().is_empty();
    if has_more || !(url.scheme() == "https" || url.scheme() == "http" && is_here) {
        bail!(
            "DUET_OIDC_ISSUER: {issuer} must begin with https:// (http:// only on this machine) and \
             have neither a user name, a query nor a fragment"
        );
    }
    Ok(url.host_str().unwrap_or_default().to_owned())
}

fn secret(file: &Path) -> Result<String> {
    let read = || -> Result<String> {
        let size = std::fs::metadata(file)?.len();
        if size > MAX_SECRET {
            bail!("the file has {size} bytes, and a client secret has at most {MAX_SECRET}");
        }
        let secret = std::fs::read_to_string(file)?.trim().to_owned();
        if secret.is_empty() {
            bail!("the file is empty");
        }
        Ok(secret)
    };
    read().with_context(|| format!("DUET_OIDC_CLIENT_SECRET_FILE: cannot use {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(issuer: &str) -> Oidc {
        Oidc {
            oidc_issuer: Some(issuer.to_owned()),
            oidc_client_id: Some("duet".to_owned()),
            ..Oidc::default()
        }
    }

    fn public() -> Origins {
        Origins::public("https://chat.example.org").expect("a URL")
    }

    fn refusal(oidc: &Oidc, origins: &Origins, is_compiled: bool) -> String {
        let refused = oidc.provider(origins, is_compiled).err().expect("refused");
        format!("{refused:#}")
    }

    #[test]
    fn a_provider_needs_issuer_client_id_and_public_url() {
        assert!(Oidc::default().provider(&public(), true).expect("none").is_none());
        let provider = set("https://id.example.org/realms/berg").provider(&public(), true);
        let provider = provider.expect("allowed").expect("set");
        assert_eq!(provider.issuer, "https://id.example.org/realms/berg");
        assert_eq!(provider.name, "id.example.org");
        assert_eq!(provider.client.id, "duet");
        assert_eq!(provider.client.redirect, "https://chat.example.org/oidc/callback");
        let named = Oidc { oidc_name: Some("Berg".to_owned()), ..Oidc::default() };
        assert!(refusal(&named, &public(), true).contains("DUET_OIDC_ISSUER is missing"));
        let unnamed = Oidc { oidc_client_id: None, ..set("https://id.example.org") };
        assert!(refusal(&unnamed, &public(), true).contains("DUET_OIDC_CLIENT_ID is missing"));
        let refused = refusal(&set("https://id.example.org"), &Origins::loopback(3000), true);
        assert!(refused.contains("needs DUET_PUBLIC_URL"), "{refused}");
    }

    #[test]
    fn an_issuer_on_another_machine_is_https() {
        for good in ["https://id.example.org", "http://localhost:9000", "http://127.0.0.1:9000/x"] {
            assert!(set(good).provider(&public(), true).is_ok(), "{good}");
        }
        for wrong in [
            "http://id.example.org",
            "ftp://id.example.org",
            "id.example.org",
            "https://me@id.example.org",
            "https://id.example.org/?realm=x",
        ] {
            assert!(refusal(&set(wrong), &public(), true).contains("DUET_OIDC_ISSUER"), "{wrong}");
        }
    }

    #[test]
    fn a_binary_without_the_feature_says_what_to_do() {
        let named = Oidc { oidc_name: Some("Berg".to_owned()), ..Oidc::default() };
        for oidc in [set("https://id.example.org"), named] {
            let refused = refusal(&oidc, &public(), false);
            assert!(refused.contains("build it with DUET_FEATURES=oidc"), "{refused}");
        }
        assert!(Oidc::default().provider(&public(), false).is_ok());
    }

    #[test]
    fn the_secret_is_the_trimmed_content_of_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("secret");
        let with =
            Oidc { oidc_client_secret_file: Some(file.clone()), ..set("https://id.example.org") };
        assert!(refusal(&with, &public(), true).contains("DUET_OIDC_CLIENT_SECRET_FILE"));
        std::fs::write(&file, " very secret\n").expect("written");
        let provider = with.provider(&public(), true).expect("allowed").expect("set");
        assert_eq!(provider.client.secret.as_deref(), Some("very secret"));
        for wrong in ["\n".to_owned(), "x".repeat(5_000)] {
            std::fs::write(&file, wrong).expect("written");
            assert!(refusal(&with, &public(), true).contains("cannot use"));
        }
    }
}
