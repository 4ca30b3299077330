//! Searches for people in SQLite. Implements [`PersonStore`], through which alone this module is
//! called.
//!
//! Each statement checks whether the searching user may see the found user's presence, which needs
//! the consent of both, and an answer of both. The presence of users without a conversation is
//! hidden. Users with deleted accounts sort after all others (see [`super::deletion`])
//! and are not found.

use async_trait::async_trait;
use protocol::limits::MOST_FOUND;
use protocol::{ConversationId, UserId};
use uuid::Uuid;

use super::{SqliteStore, json};
use crate::store::people::{VISITED, visited};
use crate::store::rows::{self, at_most};
use crate::store::{Counted, Found, PersonStore, Result};

/// Selects the columns of a found user from `users u`: a peer of the user `$1`, with the name of the
/// user's own row, whose peer's row is `theirs`; or a stranger.
macro_rules! found {
    (peer $own:literal, $rest:literal) => {
        concat!(
            "select u.id, u.username, u.display_name, u.last_seen_at, \
                    theirs.blocked_at as peer_blocked_at, \
                    u.show_last_seen and (select show_last_seen from users where id = $1) \
                        and theirs.standing = 0 and ",
            $own,
            ".standing = 0 and ",
            $own,
            ".blocked_at is null as shows_presence ",
            $rest
        )
    };
    (stranger, $rest:literal) => {
        concat!(
            "select u.id, u.username, u.display_name, null as last_seen_at, \
                    null as peer_blocked_at, false as shows_presence ",
            $rest
        )
    };
}

/// The condition that each word of a JSON list is the prefix of one of the user's words.
macro_rules! has_all {
    ($words:literal, $person:literal) => {
        concat!(
            "not exists (select 1 from json_each(",
            $words,
            ") j where not exists (select 1 from person_words w where w.user_id = ",
            $person,
            " and w.word >= j.value and w.word < j.value || char(1114111)))"
        )
    };
}

#[async_trait]
impl PersonStore for SqliteStore {
    async fn peers_by_words(
        &self,
        me: UserId,
        words: &[String],
        limit: usize,
    ) -> Result<Counted<(ConversationId, Found)>> {
        let rows = sqlx::query(concat!(
            "with visited as (select conversation_id, peer_id, active_at, standing, blocked_at from members \
                 where user_id = $1 and active_at is not null order by active_at desc limit $4), \
             matched as (select * from visited p where ",
            has_all!("$2", "p.peer_id"),
            " order by p.active_at desc limit $5) ",
            found!(
                peer "p",
                ", p.conversation_id, (select count(*) from matched) as total \
                 from matched p cross join users u on u.id = p.peer_id \
                 cross join members theirs on theirs.conversation_id = p.conversation_id \
                                          and theirs.user_id = p.peer_id \
                 order by p.active_at desc limit $3"
            )
        ))
        .bind(me.0)
        .bind(json(&words)?)
        .bind(at_most(limit))
        .bind(at_most(VISITED))
        .bind(at_most(MOST_FOUND + 1))
        .fetch_all(&self.read)
        .await?;
        rows::counted(&rows, rows::found_peer)
    }

    async fn others_by_words(
        &self,
        me: UserId,
        words: &[String],
        username_key: &str,
        limit: usize,
    ) -> Result<Counted<Found>> {
        let Some((first, others)) = words.split_first() else {
            return Ok(Counted::none());
        };
        // Reads one range of the index up to a limit, so that a common word costs no more than a
        // rare one. U+10FFFF sorts after every character that a name can contain.
        let rows = sqlx::query(concat!(
            "with visited as (select word, user_id from person_words \
                 where word >= $1 and word < $1 || char(1114111) order by word limit $6), \
             matched as (select distinct p.user_id from visited p where p.user_id <> $2 and ",
            has_all!("$3", "p.user_id"),
            " and not exists (select 1 from conversations c \
                 join members m on m.conversation_id = c.id and m.user_id = $2 \
                 where c.low_id = min($2, p.user_id) and c.high_id = max($2, p.user_id) \
                   and m.active_at is not null)) ",
            found!(
                stranger,
                ", (select count(*) from matched) as total \
                 from matched p cross join users u on u.id = p.user_id where u.deleted_at is null \
                 order by u.username_key <> $4, u.display_key, u.username_key limit $5"
            )
        ))
        .bind(first)
        .bind(me.0)
        .bind(json(&others)?)
        .bind(username_key)
        .bind(at_most(limit))
        .bind(at_most(visited(words)))
        .fetch_all(&self.read)
        .await?;
        rows::counted(&rows, rows::found)
    }

    async fn person_by_username(&self, me: UserId, username_key: &str) -> Result<Option<Found>> {
        let row = sqlx::query(found!(
            stranger,
            "from users u where u.username_key = $1 and u.id <> $2 and u.deleted_at is null"
        ))
        .bind(username_key)
        .bind(me.0)
        .fetch_optional(&self.read)
        .await?;
        rows::optional(row.as_ref(), rows::found)
    }

    async fn recent_peers(&self, me: UserId, limit: usize) -> Result<Vec<Found>> {
        let rows = sqlx::query(found!(
            peer "m",
            "from members m join users u on u.id = m.peer_id \
             join members theirs on theirs.conversation_id = m.conversation_id \
                                and theirs.user_id = m.peer_id \
             where m.user_id = $1 and m.active_at is not null and m.standing <> 2 \
               and m.blocked_at is null and u.deleted_at is null \
             order by m.active_at desc limit $2"
        ))
        .bind(me.0)
        .bind(at_most(limit))
        .fetch_all(&self.read)
        .await?;
        rows::all(&rows, rows::found)
    }

    async fn peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>> {
        let peers: Vec<Uuid> = sqlx::query_scalar(
            "select peer_id from members where user_id = $1 order by active_at desc limit $2",
        )
        .bind(me.0)
        .bind(at_most(limit))
        .fetch_all(&self.read)
        .await?;
        Ok(peers.into_iter().map(UserId).collect())
    }

    async fn presence_peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>> {
        let peers: Vec<Uuid> = sqlx::query_scalar(
            "select m.peer_id from members m join users u on u.id = m.peer_id \
             join members theirs on theirs.conversation_id = m.conversation_id \
                                and theirs.user_id = m.peer_id \
             where m.user_id = $1 and m.standing = 0 and theirs.standing = 0 \
               and m.blocked_at is null and theirs.blocked_at is null and u.show_last_seen \
               and (select show_last_seen from users where id = $1) \
             order by m.active_at desc limit $2",
        )
        .bind(me.0)
        .bind(at_most(limit))
        .fetch_all(&self.read)
        .await?;
        Ok(peers.into_iter().map(UserId).collect())
    }

    async fn directory(&self, me: UserId, limit: usize) -> Result<Vec<Found>> {
        let rows = sqlx::query(found!(
            stranger,
            "from users u where u.id <> $1 and u.display_key < char(1114111) \
             order by u.display_key limit $2"
        ))
        .bind(me.0)
        .bind(at_most(limit))
        .fetch_all(&self.read)
        .await?;
        rows::all(&rows, rows::found)
    }
}
