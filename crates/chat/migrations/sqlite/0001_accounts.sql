-- Facts about this store itself: its epoch.
create table meta (
    key text primary key,
    value text not null
) strict, without rowid;

-- username_key and display_key are the folded forms that names are compared and found by.
create table users (
    id blob primary key,
    username text not null,
    username_key text not null unique,
    display_name text not null,
    display_key text not null,
    password_hash text not null,
    created_at integer not null,
    last_seen_at integer
) strict, without rowid;

create index users_by_display_key on users (display_key);

-- Only hashes of tokens are kept. After a rotation the previous token is honoured for a moment,
-- because requests made before it are still on their way.
create table sessions (
    id blob primary key,
    user_id blob not null references users (id),
    token_hash blob not null unique,
    previous_hash blob unique,
    previous_until integer,
    created_at integer not null,
    seen_at integer not null,
    rotated_at integer not null
) strict, without rowid;

create index sessions_by_user on sessions (user_id, seen_at);
