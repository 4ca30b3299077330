-- What nodes keep here of each other. All of it may be lost and comes again by itself, so none of it is logged: writing it
-- waits for no disk, and after a crash of the server it is empty. Times are by the clock of the database.

-- A node is there until then, unless it says again that it is. hears: whether it hears the others. ending: it said goodbye.
create unlogged table nodes (
    id uuid primary key,
    until timestamptz not null,
    hears boolean not null,
    ending boolean not null default false
);

-- Who is at which node. A person is there while one of their nodes is.
create unlogged table presences (
    user_id uuid not null,
    node_id uuid not null,
    primary key (user_id, node_id)
);

create index presences_by_node on presences (node_id, user_id);

-- How much of an allowance is used up: nothing of it from full_at on.
create unlogged table allowances (
    key text collate "C" primary key,
    full_at timestamptz not null
);

create index allowances_by_full_at on allowances (full_at);

-- Wrong passwords of an account, one after the other, and until when it waits.
create unlogged table failures (
    username_key text collate "C" primary key,
    count integer not null,
    until timestamptz not null
);

create index failures_by_until on failures (until);
