//! Lets one tab notify of a message: the first tab that claims it. Browser only.
//!
//! There is no leader tab, hence no single point of failure. A claim is a Web Lock named after the
//! message, requested with `ifAvailable` so that no tab waits for it. Storage alone is not enough,
//! because a write in one tab reaches the other tabs late.

use futures::channel::oneshot;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use protocol::{ConversationId, Seq, UserId};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::browser::dom;
use crate::live::storage;

/// How long a claim is held. A tab that receives the message later finds it in storage.
const HELD_MS: u32 = 10_000;

#[wasm_bindgen]
extern "C" {
    /// `locks` is missing from the Web IDL that `web-sys` is built from.
    type LockNavigator;
    type Locks;
    #[wasm_bindgen(method, getter)]
    fn locks(this: &LockNavigator) -> Locks;
    #[wasm_bindgen(method)]
    fn request(this: &Locks, name: &str, options: &JsValue, work: &JsValue) -> js_sys::Promise;
}

/// Whether this tab is the first to claim a message. Earlier messages count as claimed.
pub async fn claim(user: UserId, conversation: ConversationId, seq: Seq) -> bool {
    let navigator = window().navigator();
    if !storage::first_to_notify(user, conversation, seq) {
        return false;
    }
    if !dom::has(&navigator, "locks") {
        return true;
    }
    let (answer, answered) = oneshot::channel();
    let work = Closure::once_into_js(move |lock: JsValue| {
        let first = !lock.is_null();
        _ = answer.send(first);
        if !first {
            return JsValue::UNDEFINED;
        }
        let hold = async {
            TimeoutFuture::new(HELD_MS).await;
            Ok(JsValue::UNDEFINED)
        };
        future_to_promise(hold).into()
    });
    let options = js_sys::Object::new();
    _ = js_sys::Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE);
    let name = format!("duet:told:{conversation}:{seq}");
    // The promise resolves when the lock is released; no code waits for that.
    _ = navigator.unchecked_into::<LockNavigator>().locks().request(&name, &options, &work);
    answered.await.unwrap_or(false)
}
