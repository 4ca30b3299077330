//! Passkeys: calls the browser's authenticators through a separate script (`public/passkeys.js`),
//! fetched on first use, because most pages never need it. Browser only.

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::Element;

use crate::passkeys::{PasskeyCall, PasskeyFailure};

/// Id of the script element.
const ID: &str = "passkeys-script";

/// Whether the browser has passkeys.
pub fn has_passkeys() -> bool {
    class().is_some()
}

/// Whether the browser can offer passkeys in a field.
pub async fn can_fill_passkeys() -> bool {
    let Some(class) = class() else { return false };
    let asked = method(&class, "isConditionalMediationAvailable")
        .and_then(|available| available.call0(&class).ok())
        .and_then(|answer| answer.dyn_into::<Promise>().ok());
    let Some(asked) = asked else { return false };
    JsFuture::from(asked).await.is_ok_and(|answer| answer.is_truthy())
}

/// Hands options to the authenticators; returns the credential as JSON. Ends an earlier call that
/// still waits.
pub async fn call_authenticator(
    call: PasskeyCall,
    options: &str,
) -> Result<String, PasskeyFailure> {
    let script = script().await.ok_or(PasskeyFailure::Failed)?;
    let name = match call {
        PasskeyCall::Create => "create",
        PasskeyCall::Get => "get",
        PasskeyCall::Fill => "fill",
    };
    let answer = method(&script, name)
        .and_then(|function| function.call1(&script, &options.into()).ok())
        .and_then(|answer| answer.dyn_into::<Promise>().ok())
        .ok_or(PasskeyFailure::Failed)?;
    match JsFuture::from(answer).await {
        Ok(credential) => credential.as_string().ok_or(PasskeyFailure::Failed),
        Err(name) => Err(match name.as_string().as_deref() {
            Some("NotAllowedError") => PasskeyFailure::Cancelled,
            Some("AbortError") => PasskeyFailure::Replaced,
            Some("InvalidStateError") => PasskeyFailure::Exists,
            _ => PasskeyFailure::Failed,
        }),
    }
}

fn class() -> Option<JsValue> {
    member(&window(), "PublicKeyCredential")
}

/// The functions of the script, which is fetched if it is not there yet.
async fn script() -> Option<JsValue> {
    const NAME: &str = "duetPasskeys";
    if let Some(loaded) = member(&window(), NAME) {
        return Some(loaded);
    }
    let script = document().get_element_by_id(ID).or_else(add_script)?;
    let loading = Promise::new(&mut |resolve, reject| {
        for (event, settle) in [("load", resolve), ("error", reject)] {
            // Fails only for an invalid listener.
            _ = script.add_event_listener_with_callback(event, &settle);
        }
    });
    if JsFuture::from(loading).await.is_err() {
        // The next call fetches again.
        script.remove();
    }
    member(&window(), NAME)
}

fn add_script() -> Option<Element> {
    let script = document().create_element("script").ok()?;
    for (name, value) in [("id", ID), ("type", "module"), ("src", "/passkeys.js")] {
        script.set_attribute(name, value).ok()?;
    }
    document().body()?.append_child(&script).ok()?;
    Some(script)
}

fn member(of: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(of, &name.into()).ok().filter(|found| !found.is_undefined())
}

fn method(of: &JsValue, name: &str) -> Option<Function> {
    member(of, name)?.dyn_into().ok()
}
