//! Suggestions of free usernames, when the wanted one is taken or the user has chosen none.
//!
//! The answer must not disclose more than sign-up does. Only clients that may sign up get an
//! answer, under a rate limit. `app` calls [`Chat::free_usernames`] for the sign-up form.

use std::net::IpAddr;

use protocol::ErrorCode;
use protocol::limits::{MAX_USERNAME_BYTES, USERNAME_CHARS};

use super::{names, read_token};
use crate::Chat;
use crate::error::Result;

/// Number of suggestions.
const OFFERED: usize = 2;
/// The highest number appended to a name.
const LAST_NUMBER: u32 = 20;

impl Chat {
    /// Returns the first free usernames among the wanted one and its variants.
    ///
    /// # Errors
    /// `registration_closed` or `invitation_invalid` if the client may not sign up; `rate_limited`.
    pub async fn free_usernames(
        &self,
        wanted: &str,
        invitation: Option<&str>,
        from: IpAddr,
    ) -> Result<Vec<String>> {
        self.throttle().look_for_names(from).await?;
        self.may_sign_up(invitation).await?;
        if wanted.len() > MAX_USERNAME_BYTES {
            return Ok(Vec::new());
        }
        let mut free = Vec::new();
        for candidate in candidates(wanted.trim()) {
            let Ok((name, key)) = names::username(&candidate) else { continue };
            if self.is_username_free(&name, &key).await? {
                free.push(name);
            }
            if free.len() == OFFERED {
                break;
            }
        }
        Ok(free)
    }

    async fn may_sign_up(&self, invitation: Option<&str>) -> Result<()> {
        let Some(token) = invitation else {
            let open = self.registration_open();
            return if open { Ok(()) } else { Err(ErrorCode::RegistrationClosed.into()) };
        };
        let hash = read_token(token).ok_or(ErrorCode::InvitationInvalid)?;
        self.check_invitation(&hash).await
    }
}

/// Returns the wanted name and its variants, closest first: parts swapped at the first dot, then a
/// number appended.
fn candidates(wanted: &str) -> impl Iterator<Item = String> {
    let turned = wanted.split_once('.').map(|(first, last)| format!("{last}.{first}"));
    let numbered = (2..=LAST_NUMBER).map(move |number| {
        let number = number.to_string();
        let room = USERNAME_CHARS.end() - number.len();
        wanted.chars().take(room).collect::<String>() + &number
    });
    [Some(wanted.to_owned()), turned].into_iter().flatten().chain(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn free_usernames_similar_to_a_taken_one_are_offered() {
        let directory = tempfile::tempdir().expect("a directory");
        let chat = Chat::begin(Config::new(directory.path().join("duet.db"))).await;
        let chat = chat.expect("a chat");
        let free =
            async |wanted: &str| chat.free_usernames(wanted, None, HERE).await.expect("an answer");
        assert_eq!(free("anna.berg").await, ["anna.berg", "berg.anna"]);
        chat.sign_up("Anna.Berg", "", "tulip-Harbor-92", HERE).await.expect("an account");
        assert_eq!(free("anna.berg").await, ["berg.anna", "anna.berg2"]);
        assert_eq!(free("li").await, ["li2", "li3"], "too short by itself");
        chat.sign_up("annal", "", "tulip-Harbor-92", HERE).await.expect("an account");
        assert_eq!(free("anna1").await, ["anna12", "anna13"], "looks like annal");
        assert_eq!(free("admin").await, [""; 0], "reserved with every number");
        let long = "a".repeat(40);
        assert_eq!(free(&long).await, [format!("{}2", &long[..31]), format!("{}3", &long[..31])]);
        assert_eq!(free("no name").await, [""; 0]);
        assert_eq!(free(&"a".repeat(1_000_000)).await, [""; 0]);
        let forged = chat.free_usernames("anna", Some("forged"), HERE).await;
        assert!(forged.is_err());
        chat.close().await;
    }
}
