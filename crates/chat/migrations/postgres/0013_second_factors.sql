-- The second factor of an account: the key of its one-time codes (RFC 6238). Without confirmed_at the user has not
-- entered a code yet, and sign-in requests none. last_step is the newest time step of which a code was accepted; codes
-- of that step and of earlier steps are refused.
create table second_factors (
    user_id uuid primary key references users (id),
    secret bytea not null,
    created_at bigint not null,
    confirmed_at bigint,
    last_step bigint not null default 0
);

-- Only hashes of recovery codes are stored. A used code is deleted.
create table recovery_codes (
    user_id uuid not null references second_factors (user_id) on delete cascade,
    code_hash bytea not null,
    primary key (user_id, code_hash)
);
