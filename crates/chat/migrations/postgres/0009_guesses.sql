-- Guesses of passwords: of one stranger at one account, of one device, or of one session. key is a keyed hash of those.
-- May be lost, so none of it is logged. Times are by the clock of the database. Nodes of an older version count in
-- failures instead.
create unlogged table guesses (
    key bytea primary key,
    count integer not null,
    counted_at timestamptz not null
);

create index guesses_by_counted_at on guesses (counted_at);
