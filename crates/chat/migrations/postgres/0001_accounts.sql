-- Times are milliseconds since the Unix epoch, by the clock of the node that wrote them. Ids are made by nodes or pages.

-- Facts about this store itself: its epoch.
create table meta (
    key text primary key,
    value text not null
);

-- username_key and display_key are the folded forms that names are compared and found by, in the order of their bytes:
-- a range of them is "what begins with", whatever order the server has for texts.
-- What people show of themselves is reciprocal: whoever hides does not see either.
-- A deleted account keeps its row, without names or password, for the messages that point to it.
create table users (
    id uuid primary key,
    username text not null,
    username_key text collate "C" not null unique,
    display_name text not null,
    display_key text collate "C" not null,
    password_hash text not null,
    created_at bigint not null,
    last_seen_at bigint,
    show_receipts boolean not null default true,
    show_last_seen boolean not null default true,
    deleted_at bigint
);

create index users_by_display_key on users (display_key);

-- Only hashes of tokens are kept. After a rotation the previous token is honoured for a moment, because requests made
-- before it are still on their way. previous_until alone is by the clock of the database: it is soon.
create table sessions (
    id uuid primary key,
    user_id uuid not null references users (id),
    token_hash bytea not null unique,
    previous_hash bytea unique,
    previous_until bigint,
    created_at bigint not null,
    seen_at bigint not null,
    rotated_at bigint not null,
    device text not null
);

create index sessions_by_user on sessions (user_id, seen_at);
create index sessions_by_age on sessions (created_at);
create index sessions_by_use on sessions (seen_at);

-- Only hashes of tokens are kept. One use; used ones stay until they would have expired.
create table invitations (
    token_hash bytea primary key,
    inviter_id uuid not null references users (id),
    created_at bigint not null,
    expires_at bigint not null,
    used_by uuid references users (id),
    used_at bigint
);

create index invitations_by_inviter on invitations (inviter_id, expires_at);
