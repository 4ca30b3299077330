-- What a person shows of themselves. Both are reciprocal: whoever hides does not see either.
alter table users add column show_receipts integer not null default 1;
alter table users add column show_last_seen integer not null default 1;

-- A deleted account keeps its row, without names or password, for the messages that point to it.
alter table users add column deleted_at integer;

-- What signed in, for telling sessions apart: "Firefox · Linux".
alter table sessions add column device text not null default '';

-- When the marks last moved.
alter table members add column delivered_at integer;
alter table members add column read_at integer;

-- Since when one of the two has no account any more: nothing is said here from then on.
alter table conversations add column closed_at integer;

-- Only hashes of tokens are kept. One use; used ones stay until they would have expired.
create table invitations (
    token_hash blob primary key,
    inviter_id blob not null references users (id),
    created_at integer not null,
    expires_at integer not null,
    used_by blob references users (id),
    used_at integer
) strict, without rowid;

create index invitations_by_inviter on invitations (inviter_id, expires_at);
