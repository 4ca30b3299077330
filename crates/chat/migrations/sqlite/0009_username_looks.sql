-- What usernames look like: hashes of their skeletons (see crates/chat/src/accounts/looks.rs). holders: accounts with a name
-- that looks so; several, if they are older than this table. Without holders, the name of a deleted account is reserved
-- until free_at.
create table username_looks (
    look blob primary key,
    holders integer not null,
    free_at integer
) strict, without rowid;

create index username_looks_by_end on username_looks (free_at) where holders = 0;

-- Whether the account is counted as a holder. The start of the server counts those that are not.
alter table users add column has_looks integer not null default 0;

create index users_without_looks on users (id) where has_looks = 0 and deleted_at is null;
