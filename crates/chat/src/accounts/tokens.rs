//! Session tokens: finds the session of a token, and replaces tokens.
//!
//! A token is the secret of a session in the browser's cookie; the store keeps only its hash. A
//! token is replaced after a day, so that a stolen copy does not last for the whole session. The
//! previous token stays valid until the browser uses the new one, because an answer can be lost.
//! `server` calls [`Chat::authenticate`] for each request with a cookie, and [`Chat::rotate`] for
//! pages; [`super`] and [`crate::invitations`] make tokens here.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::{SessionId, Timestamp};
use sha2::{Digest, Sha256};

use super::Session;
use crate::error::{Error, Result};
use crate::store::{SessionLife, TokenHash, TokenState};
use crate::writer::Write;
use crate::{Chat, clock};

/// Age at which a token is replaced.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the previous token stays valid after the first use of the new one, because requests
/// with the previous token may be under way. Until that first use the previous token stays valid,
/// because the answer with the new one may be lost.
const OLD_TOKEN_LIFE: Duration = Duration::from_secs(60);
/// A new token that stays unused for this long was lost on its way and is replaced itself. A
/// shorter time would let parallel requests with the previous token replace each other's answers.
const LOST_AFTER: Duration = Duration::from_secs(60 * 60);
/// Shortest interval between two writes of a session's "last used" time.
const SEEN_EVERY: Duration = Duration::from_secs(60 * 60);
/// Bytes of a token: 256 bits of the system's randomness.
const TOKEN_BYTES: usize = 32;
/// Characters of a token, and of the public id of an invitation, which is as long.
pub(crate) const TOKEN_CHARS: usize = (TOKEN_BYTES * 8).div_ceil(6);

/// A session found by its token.
pub struct Authenticated {
    /// The session.
    pub session: Session,
    /// Whether the token is due for replacement with [`Chat::rotate`].
    pub token_is_old: bool,
}

impl Chat {
    /// Returns the session of a token; `None` if the token is forged, expired or revoked.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Authenticated>> {
        let Some(hash) = read_token(token) else { return Ok(None) };
        let life = self.session_life(clock::now());
        let Some(row) = self.store().session(&hash, life).await? else { return Ok(None) };
        if row.token == TokenState::NewUnused {
            let until = clock::after(life.now, OLD_TOKEN_LIFE);
            let ended = self.store().end_old_token(row.id, &hash, life.now, until).await;
            if let Err(error) = ended {
                // The request is accepted all the same: the next one with this token retries.
                tracing::warn!(%error, "could not end the previous token of a session");
            }
        }
        if row.seen_at < clock::before(life.now, self.seen_every()) {
            // A full queue is ignored, because the next request submits the write again.
            let _ = self.writer().submit(Write::SeenSession(row.id));
        }
        Ok(Some(Authenticated {
            session: Session { id: row.id, user: row.user },
            token_is_old: match row.token {
                TokenState::Present | TokenState::NewUnused => {
                    row.rotated_at < clock::before(life.now, TOKEN_LIFE)
                }
                TokenState::StillNeeded => row.rotated_at < clock::before(life.now, LOST_AFTER),
                TokenState::Replaced => false,
            },
        }))
    }

    /// Replaces a session's token; `None` if another request replaced it first and its answer
    /// counts. The previous token stays valid until the new one is used.
    ///
    /// # Errors
    /// Store errors only.
    pub async fn rotate(&self, session: SessionId, token: &str) -> Result<Option<String>> {
        let Some(old) = read_token(token) else { return Ok(None) };
        let (new, hash) = make_token()?;
        let now = clock::now();
        let lost_before = clock::before(now, LOST_AFTER);
        let done = self.store().rotate_session(session, &old, &hash, now, lost_before).await?;
        Ok(done.then_some(new))
    }

    /// Returns the interval between two writes of "last used": long, but several times within the
    /// idle time after which a session ends.
    pub(crate) fn seen_every(&self) -> Duration {
        SEEN_EVERY.min(self.config().session_idle / 4)
    }

    /// Returns the bounds within which a session is valid at `now`.
    pub(crate) fn session_life(&self, now: Timestamp) -> SessionLife {
        let config = self.config();
        SessionLife {
            now,
            oldest_created: clock::before(now, config.session_life),
            oldest_seen: clock::before(now, config.session_idle),
        }
    }
}

/// Generates a token of 256 bits, with the hash that the store keeps.
pub(crate) fn make_token() -> Result<(String, TokenHash)> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Error::Internal("no randomness"))?;
    Ok((BASE64_URL_SAFE_NO_PAD.encode(bytes), Sha256::digest(bytes).into()))
}

/// Returns the hash of a well-formed token.
pub(crate) fn read_token(token: &str) -> Option<TokenHash> {
    if token.len() != TOKEN_CHARS {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.len() == TOKEN_BYTES).then(|| Sha256::digest(&bytes).into())
}
