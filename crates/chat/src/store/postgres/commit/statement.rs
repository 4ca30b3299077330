//! The statement that commits a batch, in two forms. [`super`] executes it and explains its rows.

/// Parameters: `$1` to `$4` are the messages, `$5` to `$8` the marks, `$9` the conversations of
/// both, `$10` the current time. `$11` are the nodes that must hold a lease in this database, and
/// `$12` is its name; a null `$12` skips this check. `$13` and `$14` are the sessions of the messages
/// and of the marks, `$15` and `$16` the times at or before which a session was created or last used
/// that is too old.
///
/// Returns a row for each message and mark whose user is a member of its conversation, and for each
/// whose session is not valid (`ended`), of which nothing is stored. Each write costs one look-up of
/// a session by its primary key. If the check fails, stores nothing and returns a row whose
/// `of_message` is null. If several conversations of one user have new messages, the one with the
/// last message must be first in the list: `before` is the number of those conversations below it.
macro_rules! commit {
    ($lock:literal, $deferred:literal) => {
        concat!(
            "\
with here as materialized ( \
    select case when $12::text is null then true else $12::text = ",
            instance!(),
            " and cardinality($11::uuid[]) = ( \
        select count(*) from nodes where id = any ($11) and until >= clock_timestamp()) end as ok \
), sent as ( \
    select w.*, v.id is not null as valid \
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $13::uuid[]) \
        with ordinality as w (conversation_id, sender_id, client_id, body, session_id, ordinal) \
    left join lateral ( \
        select id from sessions where id = w.session_id and user_id = w.sender_id \
            and created_at > $15 and seen_at > $16 limit 1) v on true \
), marked as ( \
    select w.*, v.id is not null as valid \
    from unnest($5::uuid[], $6::uuid[], $7::bigint[], $8::bigint[], $14::uuid[]) \
        with ordinality as w (conversation_id, user_id, delivered, read, session_id, ordinal) \
    left join lateral ( \
        select id from sessions where id = w.session_id and user_id = w.user_id \
            and created_at > $15 and seen_at > $16 limit 1) v on true \
), locked as materialized ( \
    select id, low_id, high_id, last_seq, closed_at is not null as closed \
    from conversations where id = any ($9) and (select ok from here) \
    order by id for no key update",
            $lock,
            " \
), member_rows as materialized ( \
    select conversation_id, user_id, delivered_seq, read_seq, standing = 0 as spoken, \
           blocked_at is not null as blocks \
    from members where conversation_id = any (array(select id from locked)) \
    order by conversation_id, user_id for no key update \
), judged as materialized ( \
    select s.*, t.last_seq, t.closed, theirs.user_id as peer_id, own.blocks, own.spoken, \
           theirs.blocks as withheld, theirs.spoken as peer_spoken, \
           u.conversation_id as used_in, u.seq as used_for \
    from sent s join locked t on t.id = s.conversation_id \
    join member_rows own on own.conversation_id = t.id and own.user_id = s.sender_id \
    join member_rows theirs on theirs.conversation_id = t.id and theirs.user_id <> s.sender_id \
    left join lateral ( \
        select conversation_id, seq from client_ids \
        where client_id = s.client_id and sender_id = s.sender_id limit 1) u on true \
    where s.valid \
), fresh as materialized ( \
    select *, last_seq + row_number() over (partition by conversation_id order by ordinal) as seq \
    from judged where used_in is null and not closed and not blocks \
), speakers as materialized ( \
    select distinct conversation_id, sender_id as user_id from fresh where not spoken \
), ids as ( \
    insert into client_ids (client_id, sender_id, conversation_id, seq) \
    select client_id, sender_id, conversation_id, seq from fresh order by client_id, sender_id \
), stored as ( \
    insert into messages (conversation_id, seq, sender_id, client_id, body, sent_at, withheld) \
    select conversation_id, seq, sender_id, client_id, body, $10, withheld from fresh \
    order by conversation_id, seq \
), grown as materialized ( \
    select t.id, t.low_id, t.high_id, coalesce(g.last_seq, t.last_seq) as last_seq, \
           g.last_seq is not null as grew, g.last_ordinal \
    from locked t left join ( \
        select conversation_id, max(seq) as last_seq, max(ordinal) as last_ordinal \
        from fresh group by conversation_id) g \
        on g.conversation_id = t.id \
), counted as ( \
    update conversations c set last_seq = g.last_seq from grown g \
    where c.id = g.id and g.grew and c.id = any ($9) \
), reached as materialized ( \
    select m.*, g.last_seq, theirs.user_id as peer_id, own.delivered_seq, own.read_seq, own.blocks, \
           (own.spoken or s.user_id is not null) and not theirs.blocks as reaches_peer \
    from marked m join grown g on g.id = m.conversation_id \
    join member_rows own on own.conversation_id = g.id and own.user_id = m.user_id \
    join member_rows theirs on theirs.conversation_id = g.id and theirs.user_id <> m.user_id \
    left join speakers s on s.conversation_id = g.id and s.user_id = m.user_id \
    where m.valid \
), moves as ( \
    select conversation_id, user_id, max(greatest(delivered, read)) as delivered, \
           max(read) as read \
    from reached where delivered between 0 and last_seq and read between 0 and last_seq \
        and not blocks \
    group by conversation_id, user_id \
), touched as materialized ( \
    select g.id as conversation_id, p.user_id, g.grew and not p.blocks as grew, \
           s.user_id is not null as speaks, \
           row_number() over (partition by p.user_id order by g.last_ordinal) - 1 as before, \
           coalesce(v.delivered, 0) as delivered, coalesce(v.read, 0) as read \
    from grown g join member_rows p on p.conversation_id = g.id \
    left join moves v on v.conversation_id = g.id and v.user_id = p.user_id \
    left join speakers s on s.conversation_id = g.id and s.user_id = p.user_id \
    where (g.grew and not p.blocks) or v.user_id is not null \
), written as ( \
    update members m set \
        active_at = case when w.grew then w.before + greatest($10::bigint, 1 + ( \
            select o.active_at from members o where o.user_id = m.user_id \
            order by o.active_at desc nulls last limit 1)) else m.active_at end, \
        standing = case when w.speaks then 0 else m.standing end, \
        delivered_at = case when w.delivered > m.delivered_seq or w.speaks and m.delivered_seq > 0 \
            then $10 else m.delivered_at end, \
        read_at = case when w.read > m.read_seq or w.speaks and m.read_seq > 0 \
            then $10 else m.read_at end, \
        delivered_seq = greatest(m.delivered_seq, w.delivered), \
        read_seq = greatest(m.read_seq, w.read) \
    from touched w \
    where m.conversation_id = w.conversation_id and m.user_id = w.user_id \
        and m.conversation_id = any ($9) \
        and (w.grew or w.delivered > m.delivered_seq or w.read > m.read_seq) \
) \
select true as of_message, false as deferred, false as ended, j.ordinal, j.peer_id, f.seq, \
       j.used_in, j.used_for, null::bigint as delivered, null::bigint as read, \
       null::boolean as shows_read, j.blocks and not j.closed as blocks, j.withheld, j.spoken, \
       j.peer_spoken, null::boolean as reaches_peer \
from judged j left join fresh f on f.ordinal = j.ordinal \
union all \
select false, false, false, r.ordinal, r.peer_id, r.last_seq, null, null, r.delivered_seq, \
       r.read_seq, (select show_receipts from users where id = r.user_id) \
           and (select show_receipts from users where id = r.peer_id), \
       r.blocks, null, null, null, r.reaches_peer \
from reached r \
union all \
select l.of_message, false, true, l.ordinal, null, null, null, null, null, null, null, \
       null, null, null, null, null \
from ( \
    select true as of_message, ordinal from sent where not valid \
    union all \
    select false, ordinal from marked where not valid) l \
union all \
select null, false, false, null, null, null, null, null, null, null, null, \
       null, null, null, null, null \
where not (select ok from here)",
            $deferred
        )
    };
}

/// Waits for conversations that another node has locked.
pub(super) const COMMIT: &str = commit!("", "");
/// Defers the writes to locked conversations and returns a row for each of them. A write without
/// any row belongs to no conversation of its user.
pub(super) const COMMIT_YIELDING: &str = commit!(
    " skip locked",
    " \
union all \
select l.of_message, true, false, l.ordinal, null, null, null, null, null, null, null, \
       null, null, null, null, null \
from conversations c join ( \
    select true as of_message, ordinal, conversation_id, sender_id as user_id from sent \
    where valid \
    union all \
    select false, ordinal, conversation_id, user_id from marked where valid) l \
    on l.conversation_id = c.id and l.user_id in (c.low_id, c.high_id) \
where c.id = any ($9) and c.id <> all (array(select id from locked))"
);
