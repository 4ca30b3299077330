-- The words that people are found by, folded (see crates/protocol/src/words.rs): a range of words is "begins with".
create table person_words (
    word text collate "C" not null,
    user_id uuid not null references users (id),
    primary key (word, user_id)
);

create index person_words_by_user on person_words (user_id, word);

-- The display_key for which the words were stored. Nodes of an older version know nothing of it: whom they sign up, rename
-- or delete has no words, or those of before, until a node of this version comes to it.
alter table users add column words_for text collate "C";
alter table users add column words_missing boolean
    generated always as (words_for is distinct from display_key) stored;

create index users_without_words on users (id) where words_missing;
