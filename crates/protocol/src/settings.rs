//! The user's own account: settings, privacy and sessions, as the server sends them to that user
//! alone.

use serde::{Deserialize, Serialize};

use crate::{SessionId, Timestamp, User};

/// What a user lets others see. Both settings are reciprocal: a user who hides something does not
/// see it of others either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privacy {
    /// Read receipts. If one of two users turns them off, neither sees the other's `read` mark.
    pub receipts: bool,
    /// Whether the user is online, and when they last were.
    pub last_seen: bool,
}

/// A user's own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The user, as others see them.
    pub user: User,
    /// The user's privacy settings.
    pub privacy: Privacy,
}

/// The state of a user's two-step sign-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorState {
    /// Whether sign-in needs a code as well as the password.
    pub on: bool,
    /// The number of unused recovery codes.
    pub recovery_codes: u32,
}

/// The key of a new second factor, for an authenticator app. Shown to its user alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorSetUp {
    /// The key in base32, without padding.
    pub secret: String,
    /// The key as an `otpauth:` link, which authenticator apps open.
    pub link: String,
    /// The link as a QR code: an SVG element.
    pub qr: String,
}

/// A link that signs in another device. Shown to its user alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLink {
    /// Identifies the link, to ask whether it was used; not a secret.
    pub id: String,
    /// The link. Whoever opens it can sign in to the account, once.
    pub link: String,
    /// The link as a QR code: an SVG element.
    pub qr: String,
    /// How long the link is valid from now on. Not a time, because the clock of the browser can be
    /// wrong.
    pub valid_seconds: u32,
}

/// What became of a link that signs in another device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceLinkState {
    /// Whether the link can still be used.
    pub is_open: bool,
    /// The device that signed in by the link, empty if its browser is unknown.
    pub used_by: Option<String>,
}

/// One sign-in of a user, as shown to that user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionInfo {
    /// The session's id.
    pub id: SessionId,
    /// Browser and operating system of the client, or empty if unknown.
    pub device: String,
    /// When the session was created.
    pub created_at: Timestamp,
    /// When the session was last used, to the hour.
    pub seen_at: Timestamp,
    /// Whether the request came from this session.
    pub current: bool,
}
