//! An authenticator of passkeys in software. Written apart from the server's library, so that the
//! tests compare two implementations of `WebAuthn`, and can break one rule at a time.

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::{PasskeyAnswer, PasskeyCeremony};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

/// Flags of the authenticator data: the user is present, was verified; key data follow.
const PRESENT: u8 = 1;
const VERIFIED: u8 = 4;
const KEY: u8 = 64;

/// A passkey on a device, and how the device behaves.
pub struct Authenticator {
    key: EcdsaKeyPair,
    credential_id: Vec<u8>,
    user_handle: Vec<u8>,
    /// The origin of the page that calls the authenticator.
    pub origin: String,
    /// The site that the authenticator takes the page for.
    pub site: String,
    /// The signature counter of the last answer. It grows with each answer, unless it is zero.
    pub counter: u32,
    /// Whether the device verifies its user, by a PIN or a biometric.
    pub verifies: bool,
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn member<'a>(options: &'a Value, path: &str) -> Result<&'a str> {
    options.pointer(path).and_then(Value::as_str).with_context(|| format!("no {path}"))
}

impl Authenticator {
    /// A device without a passkey, used in a page of `origin`, whose domain name is `site`.
    ///
    /// # Errors
    /// The system returned no random numbers.
    pub fn new(site: &str, origin: &str) -> Result<Self> {
        let random = SystemRandom::new();
        let scheme = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(scheme, &random).map_err(|_| anyhow!("no randomness"))?;
        let key = EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random)
            .map_err(|why| anyhow!("the new key is refused: {why}"))?;
        let credential_id = digest(&SHA256, key.public_key().as_ref()).as_ref()[..16].to_vec();
        let (origin, site) = (origin.to_owned(), site.to_owned());
        let user_handle = Vec::new();
        Ok(Self { key, credential_id, user_handle, origin, site, counter: 1, verifies: true })
    }

    /// Makes the passkey.
    ///
    /// # Errors
    /// The options are not those of `WebAuthn`.
    pub fn create(&mut self, begun: &PasskeyCeremony) -> Result<PasskeyAnswer> {
        let options: Value = serde_json::from_str(&begun.options)?;
        self.user_handle = BASE64_URL_SAFE_NO_PAD.decode(member(&options, "/user/id")?)?;
        let mut data = self.data(KEY);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.credential_id.len())?.to_be_bytes());
        data.extend(&self.credential_id);
        data.extend(self.public_key()?);
        // CBOR: {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x59".to_vec();
        object.extend(u16::try_from(data.len())?.to_be_bytes());
        object.extend(&data);
        let client = self.client_data("webauthn.create", member(&options, "/challenge")?);
        let response = json!({
            "attestationObject": encode(&object),
            "clientDataJSON": encode(client.as_bytes()),
        });
        Ok(self.answer(begun, &response))
    }

    /// Uses the passkey.
    ///
    /// # Errors
    /// The options are not those of `WebAuthn`.
    pub fn get(&mut self, begun: &PasskeyCeremony) -> Result<PasskeyAnswer> {
        let options: Value = serde_json::from_str(&begun.options)?;
        if self.counter > 0 {
            self.counter += 1;
        }
        let data = self.data(0);
        let client = self.client_data("webauthn.get", member(&options, "/challenge")?);
        let signed = [&data, digest(&SHA256, client.as_bytes()).as_ref()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed);
        let signature = signature.map_err(|_| anyhow!("no randomness"))?;
        let response = json!({
            "authenticatorData": encode(&data),
            "clientDataJSON": encode(client.as_bytes()),
            "signature": encode(signature.as_ref()),
            "userHandle": encode(&self.user_handle),
        });
        Ok(self.answer(begun, &response))
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies { VERIFIED } else { 0 };
        let mut data = digest(&SHA256, self.site.as_bytes()).as_ref().to_vec();
        data.push(PRESENT | verified | flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// The public key in COSE: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}.
    fn public_key(&self) -> Result<Vec<u8>> {
        // An uncompressed point: 4, x, y.
        let point = self.key.public_key().as_ref();
        let (x, y) = (point.get(1..33).context("x")?, point.get(33..65).context("y")?);
        let before = b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20".as_slice();
        Ok([before, x, b"\x22\x58\x20", y].concat())
    }

    fn client_data(&self, kind: &str, challenge: &str) -> String {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    fn answer(&self, begun: &PasskeyCeremony, response: &Value) -> PasskeyAnswer {
        let id = encode(&self.credential_id);
        let credential =
            json!({ "id": id, "rawId": id, "type": "public-key", "response": response });
        PasskeyAnswer { ceremony: begun.ceremony.clone(), credential: credential.to_string() }
    }
}
