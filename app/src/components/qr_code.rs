//! A text as a picture that phones read.

use leptos::prelude::*;
use qrcode::{Color, EcLevel, QrCode as Encoded};

/// Light cells around the code, as its standard asks.
const QUIET: usize = 4;

/// The code; nothing if the text is too long for one (about 2,300 letters).
#[component]
pub fn QrCode(
    /// What it says.
    text: String,
    /// What it is, for those who do not see it.
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

/// The dark cells as one path, a run of cells in a row being one rectangle.
fn outline(code: &Encoded) -> String {
    use std::fmt::Write as _;

    let (colours, width) = (code.to_colors(), code.width());
    let mut path = String::new();
    for (y, row) in colours.chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|one, next| one == next) {
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
