-- How a member stands to the conversation. 0: the member has written, has accepted the request, or came by an invitation;
-- so has every member from before this table had the column. 1: the member has opened the conversation and not written
-- yet. 2: neither; messages of the peer wait as a request.
alter table members add column standing bigint not null default 0;

-- Since when this member has blocked the peer, and the last seq that the member sees until the end of the block.
alter table members add column blocked_seq bigint;
alter table members add column blocked_at bigint;

-- Until when nothing notifies this member of the conversation.
alter table members add column muted_until bigint;

create index members_by_request on members (user_id, active_at desc nulls last, conversation_id desc)
    where standing = 2 and active_at is not null;

create index members_by_block on members (user_id, blocked_at desc) where blocked_at is not null;

-- Whether the recipient had blocked the sender when the message was stored. The recipient never sees its text.
alter table messages add column withheld boolean not null default false;

-- Reports to the operator. They hold copies of the messages, so that a report shows what its author saw. A closed report
-- is deleted.
create table reports (
    id uuid primary key,
    reporter_id uuid not null references users (id),
    reported_id uuid not null references users (id),
    reason text not null,
    created_at bigint not null
);

create index reports_by_time on reports (created_at);

create table report_messages (
    report_id uuid not null references reports (id) on delete cascade,
    seq bigint not null,
    sender_id uuid not null,
    body text not null,
    sent_at bigint not null,
    primary key (report_id, seq)
);
