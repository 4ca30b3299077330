-- The link by which a signed-in device signs in another one: at most one for each user. Only the hash of its token is
-- stored. It is valid while the session that made it is; used_by is the session that it made. There is no foreign key to
-- sessions, because it would lock the rows of both tables in two orders.
create table device_links (
    user_id uuid primary key references users (id),
    session_id uuid not null,
    token_hash bytea not null unique,
    expires_at bigint not null,
    used_by uuid
);
