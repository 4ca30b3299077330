//! Decides which signals a peer's message triggers. Pure; `arrival` acts on the result.

use super::choices::{Choices, Permission};

/// Where the user is looking when a message arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looking {
    /// The page is visible and focused, and the message's conversation is open.
    AtIt,
    /// The page is visible and focused, and another view is open.
    Elsewhere,
    /// The page is hidden or not focused.
    Away,
}

/// The signals that a message triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub notice: bool,
    pub sound: bool,
}

pub fn due(looking: Looking, choices: Choices, permission: Permission) -> Due {
    let wanted = choices.notices == Some(true) && permission == Permission::Granted;
    Due {
        notice: wanted && looking != Looking::AtIt,
        sound: choices.sound && looking == Looking::Away,
    }
}

/// Whether to offer notifications when the user returns after an unseen message. The prompt never
/// appears again once the user has decided or the browser has denied permission.
pub fn may_ask(choices: Choices, permission: Permission) -> bool {
    choices.notices.is_none() && matches!(permission, Permission::Asks | Permission::Granted)
}

/// The visits of this browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visits {
    /// Number of visits.
    pub count: u32,
    /// The day of the first visit, in days since 1970.
    pub since: u32,
}

/// Whether to offer the installation: the longest conversation, with its newest seq in `longest`,
/// has three messages, and the user returns on another day or for the third time.
pub fn may_offer(visits: Visits, today: u32, longest: i64) -> bool {
    longest >= 3 && (visits.count >= 3 || today != visits.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Choices = Choices { notices: Some(true), text: true, sound: true };

    #[test]
    fn a_message_of_the_conversation_in_view_triggers_nothing() {
        let due = due(Looking::AtIt, ON, Permission::Granted);
        assert_eq!(due, Due { notice: false, sound: false });
    }

    #[test]
    fn a_message_of_another_conversation_shows_a_notice_without_sound() {
        let due = due(Looking::Elsewhere, ON, Permission::Granted);
        assert_eq!(due, Due { notice: true, sound: false });
    }

    #[test]
    fn each_setting_is_independent() {
        let away = |choices| due(Looking::Away, choices, Permission::Granted);
        assert_eq!(away(ON), Due { notice: true, sound: true });
        assert_eq!(away(Choices { sound: false, ..ON }), Due { notice: true, sound: false });
        assert_eq!(away(Choices { notices: None, ..ON }), Due { notice: false, sound: true });
        let denied = due(Looking::Away, ON, Permission::Denied);
        assert_eq!(denied, Due { notice: false, sound: true });
    }

    #[test]
    fn installation_is_offered_to_returning_users_with_a_conversation() {
        let offered = |count, since, longest| may_offer(Visits { count, since }, 20_000, longest);
        assert!(offered(3, 20_000, 3));
        assert!(offered(1, 19_999, 3));
        assert!(!offered(2, 20_000, 3));
        assert!(!offered(9, 19_000, 2));
    }

    #[test]
    fn the_prompt_appears_only_while_the_question_is_open() {
        assert!(may_ask(Choices::default(), Permission::Asks));
        assert!(may_ask(Choices::default(), Permission::Granted));
        for permission in [Permission::Denied, Permission::Missing] {
            assert!(!may_ask(Choices::default(), permission));
        }
        assert!(!may_ask(Choices { notices: Some(false), ..ON }, Permission::Asks));
        assert!(!may_ask(ON, Permission::Asks));
    }
}
