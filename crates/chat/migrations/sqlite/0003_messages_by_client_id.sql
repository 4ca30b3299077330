-- Ids are made in the order of time, so with the id first all new entries stand together at the end
-- of the index: a commit of many people's messages writes one page of it, not one for each of them.
create unique index messages_by_client_id_first on messages (client_id, sender_id);

drop index messages_by_client_id;
