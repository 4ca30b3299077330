//! One tab tells of a message, not each: the first to claim it. Browser only.
//!
//! Any tab may be the one, so none is needed whose connection or life the others would hang on. A
//! claim is a lock that bears the message's name and that nobody waits for. Storage alone would
//! not do: tabs hold copies of it that follow each other late.

use futures::channel::oneshot;
use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use protocol::{ConversationId, Seq, UserId};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::dom;
use crate::live::storage;

/// How long a claim is held. A tab that hears of the message later finds it in storage.
const HELD_MS: u32 = 10_000;

#[wasm_bindgen]
extern "C" {
    /// What the browser's description that we build from leaves out.
    type LockNavigator;
    type Locks;
    #[wasm_bindgen(method, getter)]
    fn locks(this: &LockNavigator) -> Locks;
    #[wasm_bindgen(method)]
    fn request(this: &Locks, name: &str, options: &JsValue, work: &JsValue) -> js_sys::Promise;
}

/// Whether this tab is the first to tell of a message. What lies before it counts as told.
pub async fn claim(user: UserId, conversation: ConversationId, seq: Seq) -> bool {
    let navigator = window().navigator();
    if !storage::first_to_tell(user, conversation, seq) {
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
    // It resolves when the claim ends, for which nobody waits.
    _ = navigator.unchecked_into::<LockNavigator>().locks().request(&name, &options, &work);
    answered.await.unwrap_or(false)
}
