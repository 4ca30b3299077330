//! The notification sound: two short notes, synthesised with Web Audio. Browser only.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use web_sys::{AudioContext, OscillatorType};

use crate::browser::dom;

/// Start of each note in seconds, and its frequency in hertz.
const NOTES: [(f64, f32); 2] = [(0.0, 587.33), (0.13, 880.0)];
const LOUDNESS: f32 = 0.07;
/// Attack and decay of a note, in seconds.
const RISE: f64 = 0.015;
const FALL: f64 = 0.4;
/// When both notes have ended.
const ENDS_MS: u32 = 800;

/// Plays the sound if the user has interacted with the page; browsers block sound before that.
pub fn play() {
    let navigator = window().navigator();
    if dom::has(&navigator, "userActivation") && navigator.user_activation().has_been_active() {
        spawn_local(async {
            // Errors are ignored, because the device may have no audio output.
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
