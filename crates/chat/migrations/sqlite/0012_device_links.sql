-- The link by which a signed-in device signs in another one: at most one for each user. Only the hash of its token is
-- stored. It is valid while the session that made it is; used_by is the session that it made. There is no foreign key to
-- sessions, because a link that has ended is replaced by the next one.
create table device_links (
    user_id blob primary key references users (id),
    session_id blob not null,
    token_hash blob not null unique,
    expires_at integer not null,
    used_by blob
) strict, without rowid;
