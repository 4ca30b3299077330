//! Authentication by keys for a private NATS, as operators configure it: an operator signs an
//! account, the account signs a user, and the user's file holds the signed token and the user's
//! private key. The format is NATS's JSON web tokens, version 2.

use std::path::Path;

use anyhow::Result;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use nkeys::KeyPair;
use serde_json::{Value, json};

/// The files in the server's directory: its configuration and two credentials files.
pub(super) const SERVER: &str = "nats.conf";
pub(super) const NODE: &str = "node.creds";
pub(super) const STRANGER: &str = "stranger.creds";

/// Writes all three files. The server's certificate must be in the same directory.
pub(super) fn make(directory: &Path) -> Result<()> {
    let (operator, account) = (KeyPair::new_operator(), KeyPair::new_account());
    let of_operator = signed(&operator, &operator, json!({ "type": "operator", "version": 2 }))?;
    let of_account = signed(
        &operator,
        &account,
        json!({ "type": "account", "version": 2, "limits": {
            "subs": -1, "data": -1, "payload": -1, "conn": -1, "leaf": -1,
            "imports": -1, "exports": -1, "wildcards": true } }),
    )?;
    let file = |name| directory.join(name).display().to_string();
    let server = json!({
        "operator": of_operator,
        "resolver": "MEMORY",
        "resolver_preload": { account.public_key(): of_account },
        "tls": { "cert_file": file(crate::tls::CERTIFICATE), "key_file": file(crate::tls::KEY) },
    });
    std::fs::write(directory.join(SERVER), server.to_string())?;
    std::fs::write(directory.join(NODE), user(&account)?)?;
    std::fs::write(directory.join(STRANGER), user(&KeyPair::new_account())?)?;
    Ok(())
}

/// The content of a credentials file for a new user of the account.
fn user(account: &KeyPair) -> Result<String> {
    let user = KeyPair::new_user();
    let claims = json!({ "type": "user", "version": 2, "pub": {}, "sub": {},
        "subs": -1, "data": -1, "payload": -1 });
    let (token, seed) = (signed(account, &user, claims)?, user.seed()?);
    Ok(format!(
        "-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    ))
}

fn signed(by: &KeyPair, whom: &KeyPair, claims: Value) -> Result<String> {
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let mut body = json!({ "jti": whom.public_key(), "iat": 0, "name": "duet",
        "iss": by.public_key(), "sub": whom.public_key() });
    body["nats"] = claims;
    let encode = |value: &Value| BASE64.encode(value.to_string().as_bytes());
    let text = format!("{}.{}", encode(&header), encode(&body));
    let signature = BASE64.encode(&by.sign(text.as_bytes())?);
    Ok(format!("{text}.{signature}"))
}
