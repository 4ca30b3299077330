-- A conversation has exactly two people, kept in order so that the pair is unique whoever starts. last_seq is the counter
-- every change takes its number from, with this row locked. closed_at: since when one of the two has no account any more.
-- A part of each page is left free, so that a counter that moves stays on its page and no index is written.
create table conversations (
    id uuid primary key,
    low_id uuid not null references users (id),
    high_id uuid not null references users (id),
    last_seq bigint not null default 0,
    created_at bigint not null,
    closed_at bigint,
    unique (low_id, high_id),
    check (low_id < high_id)
) with (fillfactor = 70);

-- One row a person and conversation: who the other is, how far this person has come and when the marks last moved, and when
-- something last happened (null while the conversation is not to be listed for this person).
create table members (
    conversation_id uuid not null references conversations (id),
    user_id uuid not null references users (id),
    peer_id uuid not null references users (id),
    delivered_seq bigint not null default 0,
    read_seq bigint not null default 0,
    delivered_at bigint,
    read_at bigint,
    active_at bigint,
    primary key (conversation_id, user_id),
    check (read_seq <= delivered_seq)
) with (fillfactor = 70);

create index members_by_activity on members (user_id, active_at desc nulls last, conversation_id desc);
