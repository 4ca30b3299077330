-- What usernames look like: hashes of their skeletons (see crates/chat/src/accounts/looks.rs). holders: accounts with a name
-- that looks so; several, if they are older than this table. Without holders, the name of a deleted account is reserved
-- until free_at.
create table username_looks (
    look bytea primary key,
    holders bigint not null,
    free_at bigint
);

create index username_looks_by_end on username_looks (free_at) where holders = 0;

-- Whether the account is counted as a holder. Nodes of an older version do not count whom they sign up: the next start of a
-- node of this version does. An account that they delete stays a holder, so that nobody takes its name.
alter table users add column has_looks boolean not null default false;

create index users_without_looks on users (id) where not has_looks and deleted_at is null;
