//! Reads rows of both engines into the store's types. The engines' statements differ, but their
//! columns have the same names. Also holds the small rules that both engines apply to the
//! parameters and results of their statements. Contains no SQL. Called by the engines alone.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use protocol::limits::MAX_UNREAD;
use protocol::{
    BlockedUser, ClientId, Conversation, ConversationId, DeviceLinkState, HistoryPage, IdentityId,
    IdentityInfo, InvitationInfo, Marks, Message, PasskeyId, PasskeyInfo, Person, Presence,
    Privacy, Seq, SessionId, SessionInfo, Settings, Standing, TickTime, TickTimes, Timestamp,
    Unread, User, UserId,
};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row, Sqlite, Type};
use uuid::Uuid;

use super::{
    ConversationView, Counted, Found, FoundPasskey, OpenInvitation, OwnPasskey, Report, ReportId,
    ReportedMessage, Result, SecondFactor, TokenHash, TokenState, ValidSession,
};

/// A type of value that both engines can read from a column.
pub(super) trait ColumnValue:
    Type<Sqlite> + for<'r> Decode<'r, Sqlite> + Type<Postgres> + for<'r> Decode<'r, Postgres>
{
}

impl<T> ColumnValue for T where
    T: Type<Sqlite> + for<'r> Decode<'r, Sqlite> + Type<Postgres> + for<'r> Decode<'r, Postgres>
{
}

/// A row of either engine.
pub(super) trait StoreRow {
    fn read<T: ColumnValue>(&self, column: &str) -> sqlx::Result<T>;
}

impl StoreRow for SqliteRow {
    fn read<T: ColumnValue>(&self, column: &str) -> sqlx::Result<T> {
        self.try_get(column)
    }
}

impl StoreRow for PgRow {
    fn read<T: ColumnValue>(&self, column: &str) -> sqlx::Result<T> {
        self.try_get(column)
    }
}

/// Reads each of several rows.
pub(super) fn all<R, T>(rows: &[R], read: impl Fn(&R) -> sqlx::Result<T>) -> Result<Vec<T>> {
    Ok(rows.iter().map(read).collect::<sqlx::Result<_>>()?)
}

/// Reads a row that may be absent.
pub(super) fn optional<R, T>(
    row: Option<&R>,
    read: impl Fn(&R) -> sqlx::Result<T>,
) -> Result<Option<T>> {
    Ok(row.map(read).transpose()?)
}

/// Reads the first results of a search, and the number of all results, which each row repeats.
pub(super) fn counted<R: StoreRow, T>(
    rows: &[R],
    read: impl Fn(&R) -> sqlx::Result<T>,
) -> Result<Counted<T>> {
    let total: i64 = rows.first().map_or(Ok(0), |row| row.read("total"))?;
    Ok(Counted { first: all(rows, read)?, total: usize::try_from(total).unwrap_or(0) })
}

pub(super) fn user(row: &impl StoreRow) -> sqlx::Result<User> {
    Ok(User {
        id: UserId(row.read("id")?),
        username: row.read("username")?,
        display_name: row.read("display_name")?,
    })
}

/// A user and the user's password hash.
pub(super) fn credentials(row: &impl StoreRow) -> sqlx::Result<(User, String)> {
    Ok((user(row)?, row.read("password_hash")?))
}

pub(super) fn settings(row: &impl StoreRow) -> sqlx::Result<Settings> {
    let privacy =
        Privacy { receipts: row.read("show_receipts")?, last_seen: row.read("show_last_seen")? };
    Ok(Settings { user: user(row)?, privacy })
}

pub(super) fn second_factor(row: &impl StoreRow) -> sqlx::Result<SecondFactor> {
    let codes: i64 = row.read("codes")?;
    Ok(SecondFactor {
        secret: row.read("secret")?,
        is_confirmed: row.read::<Option<i64>>("confirmed_at")?.is_some(),
        recovery_codes: u32::try_from(codes).unwrap_or(u32::MAX),
    })
}

/// What became of a link that signs in another device, from its row and the label of the session
/// that it made.
pub(super) fn device_link_state(
    row: &impl StoreRow,
    now: Timestamp,
) -> sqlx::Result<DeviceLinkState> {
    if row.read::<Option<Uuid>>("used_by")?.is_some() {
        let device: Option<String> = row.read("device")?;
        return Ok(DeviceLinkState { is_open: false, used_by: Some(device.unwrap_or_default()) });
    }
    Ok(DeviceLinkState { is_open: row.read::<i64>("expires_at")? > now.0, used_by: None })
}

/// The session that made a link which was used up, and the password hash of its user.
pub(super) fn used_device_link(row: &impl StoreRow) -> sqlx::Result<(SessionId, String)> {
    Ok((SessionId(row.read("session_id")?), row.read("password_hash")?))
}

/// A passkey in the list of its user.
pub(super) fn own_passkey(row: &impl StoreRow) -> sqlx::Result<OwnPasskey> {
    let info = PasskeyInfo {
        id: PasskeyId(row.read("id")?),
        name: row.read("name")?,
        created_at: Timestamp(row.read("created_at")?),
        used_at: row.read::<Option<i64>>("used_at")?.map(Timestamp),
    };
    Ok(OwnPasskey { info, credential_id: row.read("credential_id")? })
}

/// A passkey that was found by the authenticator's id, with its user.
pub(super) fn found_passkey(row: &impl StoreRow) -> sqlx::Result<FoundPasskey> {
    Ok(FoundPasskey {
        id: PasskeyId(row.read("passkey_id")?),
        user: user(row)?,
        credential: row.read("credential")?,
    })
}

/// An identity in the list of its user.
pub(super) fn identity_info(row: &impl StoreRow) -> sqlx::Result<IdentityInfo> {
    Ok(IdentityInfo {
        id: IdentityId(row.read("id")?),
        name: row.read("name")?,
        created_at: Timestamp(row.read("created_at")?),
        used_at: row.read::<Option<i64>>("used_at")?.map(Timestamp),
    })
}

/// An identity that was found by its subject, with its user.
pub(super) fn found_identity(row: &impl StoreRow) -> sqlx::Result<(IdentityId, User)> {
    Ok((IdentityId(row.read("identity_id")?), user(row)?))
}

/// A session that was found by its token, with its user.
pub(super) fn session(row: &impl StoreRow) -> sqlx::Result<ValidSession> {
    Ok(ValidSession {
        id: SessionId(row.read("session_id")?),
        user: user(row)?,
        seen_at: Timestamp(row.read("seen_at")?),
        rotated_at: Timestamp(row.read("rotated_at")?),
        token: TokenState::of(row.read("present")?, row.read("has_previous")?, row.read("ends")?),
    })
}

/// A session in the list of a user's sessions. Not marked as current.
pub(super) fn session_info(row: &impl StoreRow) -> sqlx::Result<SessionInfo> {
    Ok(SessionInfo {
        id: SessionId(row.read("id")?),
        device: row.read("device")?,
        created_at: Timestamp(row.read("created_at")?),
        seen_at: Timestamp(row.read("seen_at")?),
        current: false,
    })
}

/// An open invitation, as its inviter sees it.
pub(super) fn invitation(row: &impl StoreRow) -> sqlx::Result<OpenInvitation> {
    let token_hash: Vec<u8> = row.read("token_hash")?;
    Ok(OpenInvitation {
        token_hash: token_hash
            .try_into()
            .map_err(|_| sqlx::Error::Decode("the hash of a token has another length".into()))?,
        created_at: Timestamp(row.read("created_at")?),
        expires_at: Timestamp(row.read("expires_at")?),
    })
}

/// An invitation as the invited user sees it.
pub(super) fn invitation_info(row: &impl StoreRow) -> sqlx::Result<InvitationInfo> {
    Ok(InvitationInfo { inviter: user(row)?, expires_at: Timestamp(row.read("expires_at")?) })
}

/// The key in `meta` of a first invitation.
pub(super) fn first_invitation_key(token: &TokenHash) -> String {
    format!("first_invitation:{}", BASE64_URL_SAFE_NO_PAD.encode(token))
}

/// A report without its messages.
pub(super) fn report(row: &impl StoreRow) -> sqlx::Result<Report> {
    let of = |id: &str, username: &str, display_name: &str| -> sqlx::Result<User> {
        Ok(User {
            id: UserId(row.read(id)?),
            username: row.read(username)?,
            display_name: row.read(display_name)?,
        })
    };
    Ok(Report {
        id: ReportId(row.read("id")?),
        reporter: of("reporter_id", "reporter_username", "reporter_display_name")?,
        reported: of("reported_id", "reported_username", "reported_display_name")?,
        reason: row.read("reason")?,
        created_at: Timestamp(row.read("created_at")?),
        messages: Vec::new(),
    })
}

/// A message of a report.
pub(super) fn reported_message(row: &impl StoreRow) -> sqlx::Result<ReportedMessage> {
    Ok(ReportedMessage {
        seq: Seq(row.read("seq")?),
        sender: UserId(row.read("sender_id")?),
        body: row.read("body")?,
        sent_at: Timestamp(row.read("sent_at")?),
    })
}

/// A user found by a search. The last-seen time is hidden unless both users show theirs.
pub(super) fn found(row: &impl StoreRow) -> sqlx::Result<Found> {
    let (last_seen, shows_presence) = presence(row)?;
    Ok(Found { user: user(row)?, last_seen, shows_presence })
}

/// The peer of a listed conversation, found by a search.
pub(super) fn found_peer(row: &impl StoreRow) -> sqlx::Result<(ConversationId, Found)> {
    Ok((ConversationId(row.read("conversation_id")?), found(row)?))
}

/// The last-seen time if it may be seen, and whether the member may see that the user is online. To
/// a member whom the user has blocked, the user looks offline since then.
fn presence(row: &impl StoreRow) -> sqlx::Result<(Option<Timestamp>, bool)> {
    let last_seen: Option<i64> = row.read("last_seen_at")?;
    let shows_presence: bool = row.read("shows_presence")?;
    let blocked_at: Option<i64> = row.read("peer_blocked_at")?;
    let last_seen = blocked_at.or(last_seen).filter(|_| shows_presence).map(Timestamp);
    Ok((last_seen, shows_presence && blocked_at.is_none()))
}

/// How a member stands to a conversation.
fn standing(row: &impl StoreRow) -> sqlx::Result<Standing> {
    let last_seq: i64 = row.read("last_seq")?;
    let blocked = row.read::<Option<i64>>("blocked_seq")?.is_some();
    let muted_until: Option<i64> = row.read("muted_until")?;
    let is_listed = row.read::<Option<i64>>("active_at")?.is_some();
    let (waits, is_shown) = (row.read::<bool>("waits")?, is_listed && last_seq > 0 && !blocked);
    Ok(Standing {
        request: waits && is_shown,
        unlisted: waits && !is_shown,
        blocked,
        muted_until: muted_until.map(Timestamp),
    })
}

/// A user whom a member has blocked.
pub(super) fn blocked_user(row: &impl StoreRow) -> sqlx::Result<BlockedUser> {
    Ok(BlockedUser {
        conversation: ConversationId(row.read("conversation_id")?),
        user: user(row)?,
        blocked_at: Timestamp(row.read("blocked_at")?),
    })
}

/// A conversation as one member may see it, with its last message.
pub(super) fn conversation(row: &impl StoreRow) -> sqlx::Result<ConversationView> {
    let id = ConversationId(row.read("conversation_id")?);
    let last = match row.read::<Option<i64>>("seq")? {
        Some(_) => Some(message(row, id)?),
        None => None,
    };
    let (last_seen, shows_presence) = presence(row)?;
    let active_at: Option<i64> = row.read("active_at")?;
    let conversation = Conversation {
        id,
        peer: Person {
            user: User {
                id: UserId(row.read("peer_id")?),
                username: row.read("username")?,
                display_name: row.read("display_name")?,
            },
            presence: Presence { online: false, last_seen },
        },
        last,
        last_seq: Seq(row.read("last_seq")?),
        active_at: Timestamp(match active_at {
            Some(at) => at,
            None => row.read("created_at")?,
        }),
        unread: unread_count(row)?,
        mine: mine(row)?,
        theirs: theirs(row)?,
        standing: standing(row)?,
    };
    Ok(ConversationView { conversation, shows_presence })
}

/// The unread counts of these conversations, without those that are zero.
pub(super) fn unread<R: StoreRow>(rows: &[R]) -> Result<Vec<Unread>> {
    let mut unread = all(rows, |row| {
        Ok(Unread { id: ConversationId(row.read("conversation_id")?), unread: unread_count(row)? })
    })?;
    unread.retain(|conversation| conversation.unread > 0);
    Ok(unread)
}

fn unread_count(row: &impl StoreRow) -> sqlx::Result<u32> {
    Ok(u32::try_from(row.read::<i64>("unread")?).unwrap_or(MAX_UNREAD))
}

/// The end of a conversation and its marks, as one member may see them.
pub(super) struct Extent {
    pub(super) last_seq: i64,
    mine: Marks,
    theirs: Marks,
}

pub(super) fn extent(row: &impl StoreRow) -> sqlx::Result<Extent> {
    Ok(Extent { last_seq: row.read("last_seq")?, mine: mine(row)?, theirs: theirs(row)? })
}

impl Extent {
    /// The page with these messages.
    pub(super) fn page(self, conversation: ConversationId, messages: Vec<Message>) -> HistoryPage {
        let Self { last_seq, mine, theirs } = self;
        HistoryPage { conversation, messages, last_seq: Seq(last_seq), mine, theirs }
    }
}

/// A member's own marks.
fn mine(row: &impl StoreRow) -> sqlx::Result<Marks> {
    Ok(Marks { delivered: Seq(row.read("delivered_seq")?), read: Seq(row.read("read_seq")?) })
}

/// The peer's marks, as far as the member may see them.
fn theirs(row: &impl StoreRow) -> sqlx::Result<Marks> {
    let (delivered, read) = (row.read("peer_delivered_seq")?, row.read("peer_read_seq")?);
    Ok(Marks { delivered: Seq(delivered), read: Seq(read) })
}

/// The peer's marks and their times.
pub(super) fn tick_times(row: &impl StoreRow) -> sqlx::Result<TickTimes> {
    let time = |seq: &str, at: &str| -> sqlx::Result<TickTime> {
        let at: Option<i64> = row.read(at)?;
        Ok(TickTime { up_to: Seq(row.read(seq)?), at: at.map(Timestamp) })
    };
    Ok(TickTimes {
        delivered: time("delivered_seq", "delivered_at")?,
        read: time("read_seq", "read_at")?,
    })
}

pub(super) fn message(row: &impl StoreRow, conversation: ConversationId) -> sqlx::Result<Message> {
    Ok(Message {
        conversation,
        seq: Seq(row.read("seq")?),
        client_id: ClientId(row.read("client_id")?),
        sender: UserId(row.read("sender_id")?),
        body: row.read("body")?,
        sent_at: Timestamp(row.read("sent_at")?),
    })
}

/// The two members of a conversation, the lower id first, as the row of a conversation stores them.
pub(super) fn low_and_high(one: UserId, other: UserId) -> (UserId, UserId) {
    if one < other { (one, other) } else { (other, one) }
}

/// A limit as a parameter.
pub(super) fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
