//! Searches for people in Postgres. Implements [`PersonStore`], through which alone this module is
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

use super::{PostgresStore, can_be_parameter, words};
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
            "select u.id, u.username, u.display_name, null::bigint as last_seen_at, \
                    null::bigint as peer_blocked_at, false as shows_presence ",
            $rest
        )
    };
}

/// The condition that each word of an array is the prefix of one of the user's words. An aggregate,
/// because the planner never turns an aggregate into a join.
macro_rules! has_all {
    ($words:literal, $person:literal) => {
        concat!(
            "coalesce((select bool_and(exists (select 1 from person_words w where w.user_id = ",
            $person,
            " and w.word >= asked.word and w.word < asked.word || chr(1114111))) from unnest(",
            $words,
            "::text[]) as asked (word)), true)"
        )
    };
}

#[async_trait]
impl PersonStore for PostgresStore {
    async fn peers_by_words(
        &self,
        me: UserId,
        asked: &[String],
        limit: usize,
    ) -> Result<Counted<(ConversationId, Found)>> {
        self.call(async |connection| {
            words::store_some_missing(connection).await?;
            let rows = sqlx::query(concat!(
                "with visited as (select conversation_id, peer_id, active_at, standing, blocked_at \
                     from members \
                     where user_id = $1 and active_at is not null \
                     order by active_at desc nulls last limit $4), \
                 matched as (select * from visited p where ",
                has_all!("$2", "p.peer_id"),
                " order by p.active_at desc limit $5) ",
                found!(
                    peer "p",
                    ", p.conversation_id, (select count(*) from matched) as total \
                     from matched p join users u on u.id = p.peer_id \
                     join members theirs on theirs.conversation_id = p.conversation_id \
                                        and theirs.user_id = p.peer_id \
                     where u.id = any (array(select peer_id from matched)) \
                       and theirs.conversation_id = \
                           any (array(select conversation_id from matched)) \
                     order by p.active_at desc limit $3"
                )
            ))
            .bind(me.0)
            .bind(asked)
            .bind(at_most(limit))
            .bind(at_most(VISITED))
            .bind(at_most(MOST_FOUND + 1))
            .fetch_all(connection)
            .await?;
            rows::counted(&rows, rows::found_peer)
        })
        .await
    }

    async fn others_by_words(
        &self,
        me: UserId,
        asked: &[String],
        username_key: &str,
        limit: usize,
    ) -> Result<Counted<Found>> {
        self.call(async |connection| {
            let Some((first, others)) =
                asked.split_first().filter(|_| can_be_parameter(username_key))
            else {
                return Ok(Counted::none());
            };
            words::store_some_missing(connection).await?;
            // Reads one range of the index up to a limit, so that a common word costs no more than a
            // rare one. U+10FFFF sorts after every character that a name can contain.
            let rows = sqlx::query(concat!(
                "with visited as (select word, user_id from person_words \
                     where word >= $1 and word < $1 || chr(1114111) order by word limit $6), \
                 matched as (select distinct p.user_id from visited p where p.user_id <> $2 and ",
                has_all!("$3", "p.user_id"),
                " and (select count(*) from conversations c \
                     join members m on m.conversation_id = c.id and m.user_id = $2 \
                     where c.low_id = least($2, p.user_id) and c.high_id = greatest($2, p.user_id) \
                       and m.active_at is not null) = 0) ",
                found!(
                    stranger,
                    ", (select count(*) from matched) as total from users u \
                     where u.id = any (array(select user_id from matched)) \
                       and u.deleted_at is null \
                     order by u.username_key <> $4, u.display_key, u.username_key limit $5"
                )
            ))
            .bind(first)
            .bind(me.0)
            .bind(others)
            .bind(username_key)
            .bind(at_most(limit))
            .bind(at_most(visited(asked)))
            .fetch_all(connection)
            .await?;
            rows::counted(&rows, rows::found)
        })
        .await
    }

    async fn person_by_username(&self, me: UserId, username_key: &str) -> Result<Option<Found>> {
        self.call(async |connection| {
            if !can_be_parameter(username_key) {
                return Ok(None);
            }
            let row = sqlx::query(found!(
                stranger,
                "from users u where u.username_key = $1 and u.id <> $2 and u.deleted_at is null"
            ))
            .bind(username_key)
            .bind(me.0)
            .fetch_optional(connection)
            .await?;
            rows::optional(row.as_ref(), rows::found)
        })
        .await
    }

    async fn recent_peers(&self, me: UserId, limit: usize) -> Result<Vec<Found>> {
        self.call(async |connection| {
            let rows = sqlx::query(found!(
                peer "m",
                "from members m join users u on u.id = m.peer_id \
                 join members theirs on theirs.conversation_id = m.conversation_id \
                                    and theirs.user_id = m.peer_id \
                 where m.user_id = $1 and m.active_at is not null and m.standing <> 2 \
                   and m.blocked_at is null and u.deleted_at is null \
                 order by m.active_at desc nulls last limit $2"
            ))
            .bind(me.0)
            .bind(at_most(limit))
            .fetch_all(connection)
            .await?;
            rows::all(&rows, rows::found)
        })
        .await
    }

    async fn peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>> {
        self.call(async |connection| {
            let peers: Vec<Uuid> = sqlx::query_scalar(
                "select peer_id from members where user_id = $1 \
                 order by active_at desc nulls last limit $2",
            )
            .bind(me.0)
            .bind(at_most(limit))
            .fetch_all(connection)
            .await?;
            Ok(peers.into_iter().map(UserId).collect())
        })
        .await
    }

    async fn presence_peers(&self, me: UserId, limit: usize) -> Result<Vec<UserId>> {
        self.call(async |connection| {
            let peers: Vec<Uuid> = sqlx::query_scalar(
                "select m.peer_id from members m join users u on u.id = m.peer_id \
                 join members theirs on theirs.conversation_id = m.conversation_id \
                                    and theirs.user_id = m.peer_id \
                 where m.user_id = $1 and m.standing = 0 and theirs.standing = 0 \
                   and m.blocked_at is null and theirs.blocked_at is null and u.show_last_seen \
                   and (select show_last_seen from users where id = $1) \
                 order by m.active_at desc nulls last limit $2",
            )
            .bind(me.0)
            .bind(at_most(limit))
            .fetch_all(connection)
            .await?;
            Ok(peers.into_iter().map(UserId).collect())
        })
        .await
    }

    async fn directory(&self, me: UserId, limit: usize) -> Result<Vec<Found>> {
        self.call(async |connection| {
            let rows = sqlx::query(found!(
                stranger,
                "from users u where u.id <> $1 and u.display_key < chr(1114111) \
                 order by u.display_key limit $2"
            ))
            .bind(me.0)
            .bind(at_most(limit))
            .fetch_all(connection)
            .await?;
            rows::all(&rows, rows::found)
        })
        .await
    }
}
