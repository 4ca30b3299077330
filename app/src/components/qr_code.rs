//! A text as a QR code.

use leptos::prelude::*;
use qrcode::{Color, EcLevel, QrCode as Encoded};

/// Width of the quiet zone around the code in modules, as the standard requires.
const QUIET: usize = 4;

/// The code; nothing if the text is too long (about 2,300 bytes).
#[component]
pub fn QrCode(
    /// The encoded text.
    text: String,
    /// The label for screen readers.
    label: &'static str,
) -> impl IntoView {
    let code = Encoded::with_error_correction_level(text, EcLevel::M).ok()?;
    let side = code.width() + 2 * QUIET;
    Some(view! {
        <svg class="qr-code" role="img" aria-label=label viewBox=format!("0 0 {side} {side}") shape-rendering="crispEdges">
            <rect width=side.to_string() height=side.to_string() fill="#fff" />
            <path d=outline(&code) fill="#000" />
        </svg>
    })
}

/// The dark modules as one path; each horizontal run is one rectangle.
fn outline(code: &Encoded) -> String {
    use std::fmt::Write as _;

    let (colours, width) = (code.to_colors(), code.width());
    let mut path = String::new();
    for (y, row) in colours.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|cell, next| cell == next) {
            if run[0] == Color::Dark {
                // Writing to a string cannot fail.
                _ = write!(path, "M{} {}h{}v1h-{}z", x + QUIET, y + QUIET, run.len(), run.len());
            }
            x += run.len();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_covers_exactly_the_dark_cells() {
        let code = Encoded::new("https://chat.example.org/invite/abc").expect("it fits");
        let dark = code.to_colors().into_iter().filter(|colour| *colour == Color::Dark).count();
        let drawn: usize = outline(&code)
            .split('h')
            .skip(1)
            .step_by(2)
            .filter_map(|part| part.split('v').next()?.parse::<usize>().ok())
            .sum();
        assert_eq!(drawn, dark);
    }
}
