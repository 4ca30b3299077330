-- A conversation has exactly two people, kept in order so that the pair is unique whoever starts.
-- last_seq is the counter every change takes its number from, inside the transaction of the change.
create table conversations (
    id blob primary key,
    low_id blob not null references users (id),
    high_id blob not null references users (id),
    last_seq integer not null default 0,
    created_at integer not null,
    unique (low_id, high_id),
    check (low_id < high_id)
) strict, without rowid;

-- One row a person and conversation: who the other is, how far this person has come, and when
-- something last happened (null while the conversation is not to be listed for this person).
create table members (
    conversation_id blob not null references conversations (id),
    user_id blob not null references users (id),
    peer_id blob not null references users (id),
    delivered_seq integer not null default 0,
    read_seq integer not null default 0,
    active_at integer,
    primary key (conversation_id, user_id),
    check (read_seq <= delivered_seq)
) strict, without rowid;

create index members_by_activity on members (user_id, active_at desc, conversation_id desc);

-- Clustered by place: a page of history is one contiguous read however long the conversation is.
create table messages (
    conversation_id blob not null references conversations (id),
    seq integer not null,
    sender_id blob not null references users (id),
    client_id blob not null,
    body text not null,
    sent_at integer not null,
    primary key (conversation_id, seq)
) strict, without rowid;

-- A send is idempotent for ever.
create unique index messages_by_client_id on messages (sender_id, client_id);
