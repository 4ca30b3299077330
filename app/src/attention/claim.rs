//! One tab tells of a message, not each: the first to claim it. Browser only.
//!
//! Any tab may be the one, so none is needed whose connection or life the others would hang on.

use leptos::prelude::*;
use protocol::{ConversationId, Seq, UserId};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::dom;
use crate::live::storage;

#[wasm_bindgen]
extern "C" {
    /// What the browser's description that we build from leaves out.
    type LockNavigator;
    type Locks;
    #[wasm_bindgen(method, getter)]
    fn locks(this: &LockNavigator) -> Locks;
    #[wasm_bindgen(method)]
    fn request(
        this: &Locks,
        name: &str,
        work: &Closure<dyn FnMut(JsValue) -> JsValue>,
    ) -> js_sys::Promise;
}

/// Whether this tab is the first to tell of a message. What lies before it counts as told.
pub async fn claim(user: UserId, conversation: ConversationId, seq: Seq) -> bool {
    let navigator = window().navigator();
    if !dom::has(&navigator, "locks") {
        return storage::first_to_tell(user, conversation, seq);
    }
    // Held while the closure runs; whoever asks meanwhile waits.
    let work = Closure::once(move |_: JsValue| {
        JsValue::from_bool(storage::first_to_tell(user, conversation, seq))
    });
    let locks = navigator.unchecked_into::<LockNavigator>().locks();
    JsFuture::from(locks.request("duet:told", &work)).await.is_ok_and(|first| first.is_truthy())
}
