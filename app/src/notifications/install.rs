//! Offers to install Duet as an app, once, to a user who has a conversation and comes back. Browser
//! only.
//!
//! A browser that can install the page fires `beforeinstallprompt` once and early, so `page.js`
//! stores the event. On iPhone and iPad only the user can install the page, so the prompt explains
//! how. `prompts` has the views.

use js_sys::{Date, Function, Promise, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::Notifications;
use super::due::{Visits, may_offer};
use crate::live::storage;
use crate::state::State;

/// Storage key of the user's answer.
const ANSWER: &str = "install";
/// Storage key of the number of visits and the day of the first.
const VISITS: &str = "visits";
/// Session storage key that marks a tab whose visit is counted.
const COUNTED: &str = "duet:visit";
const DAY_MS: f64 = 86_400_000.0;

/// Counts this visit. A tab counts once, however often its page loads.
pub fn count_visit() {
    let tab = storage::of_tab();
    let is_counted =
        |tab: &web_sys::Storage| tab.get_item(COUNTED).is_ok_and(|count| count.is_some());
    if tab.as_ref().is_some_and(is_counted) {
        return;
    }
    let visits = visits();
    storage::keep(VISITS, &format!("{}.{}", visits.count + 1, visits.since));
    if let Some(tab) = tab {
        _ = tab.set_item(COUNTED, "counted");
    }
}

fn visits() -> Visits {
    let kept = storage::kept(VISITS).and_then(|kept| {
        let (count, since) = kept.split_once('.')?;
        Some(Visits { count: count.parse().ok()?, since: since.parse().ok()? })
    });
    kept.unwrap_or(Visits { count: 0, since: today() })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "days since 1970")]
fn today() -> u32 {
    (Date::now() / DAY_MS) as u32
}

/// How the app can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installation {
    /// By the browser.
    ByBrowser,
    /// By the user, from the browser's menu.
    ByHand,
}

/// The installation to offer, if an offer is due.
pub fn due(state: State) -> Option<Installation> {
    if storage::kept(ANSWER).is_some() {
        return None;
    }
    let last = |id| state.summary(id).map_or(0, |summary| summary.last_seq.0);
    let longest = state.list.with_untracked(|list| list.iter().map(|id| last(*id)).max());
    if !may_offer(visits(), today(), longest.unwrap_or_default()) {
        return None;
    }
    if offer().is_some() {
        return Some(Installation::ByBrowser);
    }
    // Only browsers that can put a page on the home screen define `navigator.standalone`.
    let standalone = Reflect::get(&window().navigator(), &"standalone".into());
    let is_page = standalone.is_ok_and(|standalone| standalone.as_bool() == Some(false));
    is_page.then_some(Installation::ByHand)
}

/// The stored `beforeinstallprompt` event.
fn offer() -> Option<JsValue> {
    let page = Reflect::get(&window(), &"duetPage".into()).ok()?;
    Reflect::get(&page, &"install".into()).ok().filter(JsValue::is_object)
}

/// Stores the answer permanently, and opens the browser's prompt if the answer is yes.
pub fn answer(notifications: Notifications, yes: bool) {
    storage::keep(ANSWER, if yes { "on" } else { "off" });
    notifications.prompt.set(None);
    if yes && let Some(offer) = offer() {
        // The user's choice in the browser's prompt does not change the stored answer.
        spawn_local(async move { _ = show_offer(&offer).await });
    }
}

async fn show_offer(offer: &JsValue) -> Result<JsValue, JsValue> {
    let prompt: Function = Reflect::get(offer, &"prompt".into())?.dyn_into()?;
    JsFuture::from(prompt.call0(offer)?.dyn_into::<Promise>()?).await
}
