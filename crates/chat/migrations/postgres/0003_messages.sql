-- Read and written by place alone, so that the table can be split by conversation: here, or by an engine that spreads it over
-- machines. Neither this table nor the next has foreign keys: the one statement that fills them holds the conversation's row
-- and has looked who the sender is, and a check of each row would cost more than the row.
create table messages (
    conversation_id uuid not null,
    seq bigint not null,
    sender_id uuid not null,
    client_id uuid not null,
    body text not null,
    sent_at bigint not null,
    primary key (conversation_id, seq)
) partition by hash (conversation_id);

-- A send is idempotent for ever, through whichever node and in whichever conversation: what each id was used for. A table
-- that is split by conversation cannot promise that by itself. Ids are made in the order of time, so with the id first all new
-- entries stand together at the end of the index.
create table client_ids (
    client_id uuid not null,
    sender_id uuid not null,
    conversation_id uuid not null,
    seq bigint not null,
    primary key (client_id, sender_id)
);

create table messages_00 partition of messages for values with (modulus 16, remainder 0);
create table messages_01 partition of messages for values with (modulus 16, remainder 1);
create table messages_02 partition of messages for values with (modulus 16, remainder 2);
create table messages_03 partition of messages for values with (modulus 16, remainder 3);
create table messages_04 partition of messages for values with (modulus 16, remainder 4);
create table messages_05 partition of messages for values with (modulus 16, remainder 5);
create table messages_06 partition of messages for values with (modulus 16, remainder 6);
create table messages_07 partition of messages for values with (modulus 16, remainder 7);
create table messages_08 partition of messages for values with (modulus 16, remainder 8);
create table messages_09 partition of messages for values with (modulus 16, remainder 9);
create table messages_10 partition of messages for values with (modulus 16, remainder 10);
create table messages_11 partition of messages for values with (modulus 16, remainder 11);
create table messages_12 partition of messages for values with (modulus 16, remainder 12);
create table messages_13 partition of messages for values with (modulus 16, remainder 13);
create table messages_14 partition of messages for values with (modulus 16, remainder 14);
create table messages_15 partition of messages for values with (modulus 16, remainder 15);
