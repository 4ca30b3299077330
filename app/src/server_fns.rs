//! The server functions that pages call. Each one authenticates the user, calls `chat` and maps the
//! error.
//!
//! Their addresses are fixed (`/api/{name}`), so that a page of an older build still reaches a
//! newer server. Mutations are POST requests with form encoding. Reads are POST requests with JSON,
//! so that no private data is in an address.

mod accounts;
mod conversations;
mod device_link;
mod identities;
mod invitations;
mod messages;
mod passkeys;
mod people;
mod second_factor;
mod sessions;
mod settings;
mod standings;
mod transport;

pub use accounts::{
    FreeUsernames, SignIn, SignOut, SignUp, free_usernames, sign_in, sign_out, sign_up,
};
pub use conversations::{
    GetConversation, GetTickTimes, ListConversations, MarkConversation, OpenConversation,
    get_conversation, list_conversations, mark_conversation, open_conversation, tick_times,
};
pub use device_link::{
    CreateDeviceLink, GetDeviceLink, GetLinkedUser, SignInByLink, WithdrawDeviceLink,
    create_device_link, get_device_link, get_linked_user, sign_in_by_link, withdraw_device_link,
};
#[cfg(feature = "ssr")]
pub use identities::leave_round;
#[cfg(feature = "ssr")]
pub(crate) use identities::{FinishTyped, finish_provider_sign_in};
pub use identities::{PermitIdentityLink, UnlinkIdentity, permit_identity_link, unlink_identity};
pub use invitations::{
    AcceptInvitation, CreateInvitation, GetInvitation, ListInvitations, WithdrawInvitation,
    accept_invitation, create_invitation, get_invitation, list_invitations, withdraw_invitation,
};
pub use messages::{LoadHistory, SendMessage, load_history, send_message};
pub use passkeys::{
    AddPasskey, BeginPasskey, BeginPasskeyProof, BeginPasskeySignIn, BeginPasskeySignUp,
    ListPasskeys, RemovePasskey, RenamePasskey, SignInWithPasskey, SignUpWithPasskey, add_passkey,
    begin_passkey, begin_passkey_proof, begin_passkey_sign_in, begin_passkey_sign_up,
    list_passkeys, remove_passkey, rename_passkey, sign_in_with_passkey, sign_up_with_passkey,
};
pub use people::{FindPeople, Search, find_people, search};
#[cfg(feature = "ssr")]
pub(crate) use second_factor::set_up_again;
pub use second_factor::{
    BeginSecondFactor, ConfirmSecondFactor, GetSecondFactor, RenewRecoveryCodes,
    TurnOffSecondFactor, begin_second_factor, confirm_second_factor, get_second_factor,
    renew_recovery_codes, turn_off_second_factor,
};
pub use sessions::{
    EndOtherSessions, EndSession, ListSessions, end_other_sessions, end_session, list_sessions,
};
pub use settings::{
    ChangePassword, DeleteAccount, GetSettings, SetDisplayName, SetPrivacy, change_password,
    delete_account, get_settings, set_display_name, set_privacy,
};
pub use standings::{
    AcceptRequest, DeleteRequest, ListBlocked, ListRequests, MuteConversation, Report, SetBlocked,
    accept_request, delete_request, list_blocked, list_requests, mute_conversation, report,
    set_blocked,
};
