//! The icons, inline SVG on a 24 px grid (after Lucide, ISC licence). Always beside a text or a
//! label.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Back,
    /// A message that is being sent.
    Clock,
    /// A stored message.
    Tick,
    /// A delivered or read message.
    TwoTicks,
    /// A message that was not sent.
    Alert,
    Send,
    Smile,
    Close,
    Search,
    /// Jump to the newest message.
    Down,
    /// The message menu.
    More,
    /// Sign out.
    Leave,
    Settings,
    Invite,
    /// A muted conversation.
    Muted,
}

impl Icon {
    fn path(self) -> &'static str {
        match self {
            Self::Back => "M15 18l-6-6 6-6",
            Self::Clock => "M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
            Self::Tick => "M5 12.5l4.5 4.5L19 7.5",
            Self::TwoTicks => "M2 12.5l4.5 4.5L15 7.5M11 15.5l1.5 1.5L22 7.5",
            Self::Alert => "M12 8v5M12 16.5v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
            Self::Send => "M5 12l14-7-5 14-3-6zM11 13l8-8",
            Self::Smile => {
                "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8 14s1.5 2 4 2 4-2 4-2M9 9.5v.01M15 9.5v.01"
            }
            Self::Close => "M6 6l12 12M18 6L6 18",
            Self::Search => "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
            Self::Down => "M12 5v14M6 13l6 6 6-6",
            Self::Settings => "M4 7h9M19 7h1M16 4.5v5M4 17h2M12 17h8M9 14.5v5",
            Self::Invite => {
                "M15 20a6 6 0 0 0-12 0M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM19 8v6M16 11h6"
            }
            Self::Muted => {
                "M10 20a2 2 0 0 0 4 0M6 10v2.5L4.5 16H16M18 12.5V10A6 6 0 0 0 8.5 5.1M4 4l16 16"
            }
            Self::More => "M6 12v.01M12 12v.01M18 12v.01",
            Self::Leave => "M9 4H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h3M16 8l4 4-4 4M20 12H9",
        }
    }

    /// Renders the icon.
    pub fn draw(self, class: &'static str) -> impl IntoView {
        view! {
            <svg
                class=class
                viewBox="0 0 24 24"
                fill="none"
                stroke="currentColor"
                stroke-width="2"
                stroke-linecap="round"
                stroke-linejoin="round"
                aria-hidden="true"
                focusable="false"
            >
                <path d=self.path() />
            </svg>
        }
    }
}
