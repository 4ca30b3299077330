-- The identities of users at a provider of OpenID Connect. issuer and subject together name an account there for ever.
-- name is the username there when the identity was linked.
create table identities (
    id blob primary key,
    user_id blob not null references users (id),
    issuer text not null,
    subject text not null,
    name text not null,
    created_at integer not null,
    used_at integer,
    unique (issuer, subject)
) strict, without rowid;
create index identities_by_user on identities (user_id, created_at);
