//! The types of the text tables: one field for each text. The caller decides what replaces `{}`.

use serde::Serialize;

use super::Language;

/// The plural forms of a text, by CLDR category; the number replaces `{}`. A language without a
/// category repeats its `other` form.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Plural {
    /// 0, in languages with a form for it.
    pub zero: &'static str,
    /// 1.
    pub one: &'static str,
    /// 2, in languages with a form for it.
    pub two: &'static str,
    /// Few, such as 3 to 10 in Arabic.
    pub few: &'static str,
    /// Many, such as 11 to 99 in Arabic.
    pub many: &'static str,
    /// All other numbers.
    pub other: &'static str,
}

impl Plural {
    /// The forms of a language with singular and plural only.
    pub const fn of(one: &'static str, other: &'static str) -> Self {
        Self { zero: other, one, two: other, few: other, many: other, other }
    }
}

/// The texts of the page. The English table documents each field.
#[derive(Debug)]
pub struct Texts {
    pub language: Language,

    // Pages around the chat.
    pub signed_out_title: &'static str,
    pub sign_in: &'static str,
    pub what_this_is: &'static str,
    pub run_by: &'static str,
    pub run_by_giver: &'static str,
    pub page_not_found: &'static str,
    pub nothing_here: &'static str,
    pub nothing_here_why: &'static str,
    pub go_to_conversations: &'static str,
    pub home_link: &'static str,

    // Form fields.
    pub username: &'static str,
    pub username_help: &'static str,
    pub display_name: &'static str,
    pub display_name_help: &'static str,
    pub password: &'static str,
    pub password_help: &'static str,
    pub show_password: &'static str,

    // The list of conversations.
    pub skip_to_conversation: &'static str,
    pub conversations: &'static str,
    pub sign_out_unreached: &'static str,
    pub sign_out: &'static str,
    pub leaving: LeavingTexts,
    pub settings: &'static str,
    pub older_conversations: &'static str,
    pub loading: &'static str,
    pub try_again: &'static str,
    pub not_loaded: &'static str,
    pub choose_conversation: &'static str,
    pub no_conversations: &'static str,
    pub begin_by_link: &'static str,
    pub begin_by_finding: &'static str,
    pub nobody_else: &'static str,
    pub you: &'static str,
    pub you_said: &'static str,
    pub say_hello: &'static str,
    pub withheld: &'static str,
    pub requests: &'static str,
    pub requests_count: Plural,
    pub draft: &'static str,
    pub typing: &'static str,
    pub online: &'static str,
    pub muted: &'static str,
    pub deleted_account: &'static str,
    pub unread: Plural,

    // The search for people.
    pub find_a_person: &'static str,
    pub find: &'static str,
    pub people: &'static str,
    pub searching: &'static str,
    pub type_more: &'static str,
    pub in_your_conversations: &'static str,
    pub nobody_called: &'static str,
    pub people_to_talk_to: &'static str,
    pub people_found: Plural,

    // The banner.
    pub connecting: &'static str,
    pub offline: &'static str,
    pub live_blocked: &'static str,
    pub offline_unkept: &'static str,
    pub connected: &'static str,
    pub was_signed_out: &'static str,
    pub was_signed_out_unkept: &'static str,
    pub sign_in_again: &'static str,
    pub too_many_tabs: &'static str,
    pub new_version: &'static str,
    pub reload: &'static str,
    pub storage_fails: &'static str,
    pub without_scripts: &'static str,
    pub new_sign_in: &'static str,
    pub new_sign_in_from: &'static str,
    pub review_devices: &'static str,
    pub that_was_me: &'static str,

    // New versions and notifications.
    pub newer_build: &'static str,
    pub ask_notices: &'static str,
    pub turn_on: &'static str,
    pub not_now: &'static str,
    pub ask_install: &'static str,
    pub install: &'static str,
    pub add_to_home_screen: &'static str,
    pub got_it: &'static str,
    pub new_message: &'static str,
    pub notifications: &'static str,
    pub show_notices: &'static str,
    pub show_notices_help: &'static str,
    pub notices_denied: &'static str,
    pub notices_missing: &'static str,
    pub show_text: &'static str,
    pub show_text_help: &'static str,
    pub play_sound: &'static str,
    pub play_sound_help: &'static str,

    // A conversation.
    pub back_to_conversations: &'static str,
    pub conversation_with: &'static str,
    pub in_touch_since: &'static str,
    pub who_can_read: &'static str,
    pub back_to_conversation: &'static str,
    pub cannot_be_shown: &'static str,
    pub not_available: &'static str,
    pub back_to_your_conversations: &'static str,
    pub loading_messages: &'static str,
    pub older_messages: &'static str,
    pub newer_messages: &'static str,
    pub loading_older: &'static str,
    pub say_hello_to: &'static str,
    pub nothing_said_yet: &'static str,
    pub beginning: &'static str,
    pub jump_to_latest: &'static str,
    pub new_messages: Plural,
    pub sending: &'static str,
    pub sent: &'static str,
    pub delivered: &'static str,
    pub read: &'static str,
    pub not_sent: &'static str,
    pub not_sent_here: &'static str,
    pub not_sent_because: &'static str,
    pub not_kept: &'static str,
    pub retry: &'static str,
    pub delete: &'static str,

    // The message menu and a message's tick.
    pub message_actions: &'static str,
    pub copy_text: &'static str,
    pub select_text: &'static str,
    pub copy_link: &'static str,
    pub copy: &'static str,
    pub copied: &'static str,
    pub details: &'static str,
    pub read_more: &'static str,
    pub show_less: &'static str,
    pub link_warning: &'static str,
    pub is_typing: &'static str,
    pub sent_at: &'static str,
    pub written_at: &'static str,
    pub waits_for_connection: &'static str,
    pub waits_in_line: &'static str,
    pub waits_for_device: &'static str,
    pub no_device_since: &'static str,
    pub delivered_to_device: &'static str,
    pub delivered_by: &'static str,
    pub not_read_yet: &'static str,
    pub was_read: &'static str,
    pub read_by: &'static str,
    pub older_loaded: Plural,

    // The composer.
    pub write_a_message: &'static str,
    pub message: &'static str,
    pub message_to: &'static str,
    pub send: &'static str,
    pub no_files: &'static str,
    pub characters_left: Plural,
    pub characters_too_many: Plural,
    pub refresh: &'static str,
    pub mark_as_read: &'static str,
    pub emoji: EmojiTexts,
    pub keys: KeyTexts,

    // Dates and times.
    pub today: &'static str,
    pub yesterday: &'static str,
    pub last_seen: &'static str,
    pub last_seen_yesterday: &'static str,

    // Settings.
    pub profile: &'static str,
    pub theme: &'static str,
    pub present_password: &'static str,
    pub next_password: &'static str,
    pub saving: &'static str,

    // Invitations.
    pub invite: &'static str,
    pub qr_code: &'static str,

    // Errors.
    pub unreached: &'static str,
    pub malformed: &'static str,
    pub unauthenticated: &'static str,
    pub other_person: &'static str,
    pub not_found: &'static str,
    pub body_blank: &'static str,
    pub body_too_long: &'static str,
    pub body_control_character: &'static str,
    pub client_id_reused: &'static str,
    pub not_with_oneself: &'static str,
    pub username_invalid: &'static str,
    pub username_taken: &'static str,
    pub display_name_invalid: &'static str,
    pub password_too_short: &'static str,
    pub password_too_long: &'static str,
    pub password_invalid: &'static str,
    pub password_common: &'static str,
    pub wrong_credentials: &'static str,
    pub wrong_password: &'static str,
    pub code_needed: &'static str,
    pub wrong_code: &'static str,
    pub second_factor_changed: &'static str,
    pub device_link_invalid: &'static str,
    pub signed_in_already: &'static str,
    pub passkey_refused: &'static str,
    pub passkeys_unavailable: &'static str,
    pub too_many_passkeys: &'static str,
    pub last_sign_in_method: &'static str,
    pub identity_refused: &'static str,
    pub invitation_invalid: &'static str,
    pub too_many_invitations: &'static str,
    pub peer_deleted: &'static str,
    pub peer_blocked: &'static str,
    pub report_invalid: &'static str,
    pub registration_refused: &'static str,
    pub rate_limited: &'static str,
    pub busy: &'static str,
    pub storage_full: &'static str,
    /// The request timed out; the server may have completed it.
    pub timed_out: &'static str,
    pub foreign_origin: &'static str,
    pub wrong_address: &'static str,
    pub wrong_address_owner: &'static str,
    pub internal: &'static str,
    pub in_a_moment: &'static str,
    pub in_seconds: Plural,
    pub in_minutes: Plural,
}

/// The dialog at sign-out, if the browser holds unsent text.
#[derive(Debug)]
pub struct LeavingTexts {
    pub title: &'static str,
    pub explain: &'static str,
    pub messages: Plural,
    pub drafts: Plural,
    pub delete: &'static str,
    pub keep: &'static str,
    pub stay: &'static str,
    pub plain: &'static str,
}

/// The texts of the emoji picker. The page passes them to the scripts in `public/emoji`, which
/// contain no text of their own.
#[derive(Debug, Serialize)]
pub struct EmojiTexts {
    pub title: &'static str,
    pub offer: &'static str,
    pub search: &'static str,
    pub close: &'static str,
    pub groups: &'static str,
    pub group_names: [&'static str; 9],
    pub recent: &'static str,
    pub found_title: &'static str,
    pub found: Plural,
    pub none: &'static str,
    pub failed: &'static str,
    pub tone: &'static str,
    pub tones: [&'static str; 6],
}

/// The list of keyboard shortcuts, and the key names that differ between languages.
#[derive(Debug)]
pub struct KeyTexts {
    pub title: &'static str,
    pub close_this: &'static str,
    pub everywhere: &'static str,
    pub find: &'static str,
    pub neighbours: &'static str,
    pub unread_neighbours: &'static str,
    pub next_part: &'static str,
    pub close: &'static str,
    pub this_list: &'static str,
    pub writing: &'static str,
    pub send: &'static str,
    pub new_line: &'static str,
    pub emoji: &'static str,
    pub last_own: &'static str,
    pub reading: &'static str,
    pub scroll: &'static str,
    pub walk: &'static str,
    pub menu: &'static str,
    pub first_unread: &'static str,
    pub ends: &'static str,
    pub latest: &'static str,
    pub ctrl: &'static str,
    pub shift: &'static str,
    pub enter: &'static str,
    pub page_up: &'static str,
    pub page_down: &'static str,
    pub home: &'static str,
    pub end: &'static str,
}
