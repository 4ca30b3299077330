//! Two short, soft notes, made on the spot. Browser only.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use web_sys::{AudioContext, OscillatorType};

use crate::dom;

/// Each note's beginning in seconds, and its pitch.
const NOTES: [(f64, f32); 2] = [(0.0, 587.33), (0.13, 880.0)];
const LOUDNESS: f32 = 0.07;
/// Seconds until a note is loud, and until it has faded.
const RISE: f64 = 0.015;
const FALL: f64 = 0.4;
/// When both are over.
const ENDS_MS: u32 = 800;

/// Plays it, once the person has touched the page: before that browsers forbid sound.
pub fn play() {
    let navigator = window().navigator();
    if dom::has(&navigator, "userActivation") && navigator.user_activation().has_been_active() {
        spawn_local(async {
            // A device without sound stays without.
            _ = ring().await;
        });
    }
}

async fn ring() -> Result<(), JsValue> {
    let audio = AudioContext::new()?;
    let now = audio.current_time();
    for (after, pitch) in NOTES {
        let (begins, note, volume) =
            (now + after, audio.create_oscillator()?, audio.create_gain()?);
        note.set_type(OscillatorType::Sine);
        note.frequency().set_value(pitch);
        let gain = volume.gain();
        gain.set_value_at_time(0.0001, begins)?;
        gain.exponential_ramp_to_value_at_time(LOUDNESS, begins + RISE)?;
        gain.exponential_ramp_to_value_at_time(0.0001, begins + FALL)?;
        note.connect_with_audio_node(&volume)?.connect_with_audio_node(&audio.destination())?;
        note.start_with_when(begins)?;
        note.stop_with_when(begins + FALL)?;
    }
    TimeoutFuture::new(ENDS_MS).await;
    _ = audio.close()?;
    Ok(())
}
