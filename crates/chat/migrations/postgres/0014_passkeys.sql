-- The passkeys of users. credential_id is the authenticator's id of the passkey. credential is the public key with its
-- signature counter, as JSON of the library that verifies signatures. A user who signed up with a passkey alone has an
-- empty password_hash.
create table passkeys (
    id uuid primary key,
    user_id uuid not null references users (id),
    credential_id bytea not null unique,
    credential text not null,
    name text not null,
    created_at bigint not null,
    used_at bigint
);
create index passkeys_by_user on passkeys (user_id, created_at);

-- Ceremonies that succeeded, until they expire. A second answer to one of them is refused.
create table used_ceremonies (
    hash bytea primary key,
    expires_at bigint not null
);
create index used_ceremonies_by_expiry on used_ceremonies (expires_at);
