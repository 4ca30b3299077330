-- key: a secret that each process makes at its start and keeps nowhere else; what other nodes ask of this node is signed
-- with it. hears_in: the running database (its name is made by the server at each start, so no copy has it) in whose
-- events this node takes part; null while the node does not hear NATS. Nodes of an older version leave both out.
alter table nodes add column key bytea;
alter table nodes add column hears_in text;
